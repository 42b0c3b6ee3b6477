#!/usr/bin/env bash
# A GGUF changed in place while calls fail: tests/faults/in_place.sh BUILD
#
# Each allocation, and each read or write, is made to fail in turn, once and from then on. Whatever happens,
# the file is the old one or the new one, or --undo makes it the old one; and the exit status tells.
set -u
build=$(cd "$1" && pwd)
passed=0 failed=0
export LC_ALL=C
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
model=$(pwd)/fixtures/phi-tiny
cd "$scratch" || exit 2
PATH=$build:$PATH
phi-repack -q "$model" --only '*layers.0.self_attn.*' -o old.gguf
cp old.gguf new.gguf && phi-repack --in-place new.gguf --unset 'tokenizer.*' --set x=1 && rm new.gguf.undo

wrong()
{
	failed=$((failed + 1))
	echo "FAILED $1"
}

# judge WHAT STATUS: a.gguf after a run
judge()
{
	if [ "$2" -eq 0 ] && cmp -s a.gguf new.gguf; then
		passed=$((passed + 1))
	elif [ "$2" -eq 2 ] && cmp -s a.gguf old.gguf; then
		passed=$((passed + 1))
	elif [ "$2" -eq 2 ] && phi-repack --undo a.gguf && cmp -s a.gguf old.gguf; then
		passed=$((passed + 1)) undone=$((undone + 1))
	else
		wrong "$1: exit $2"
	fi
	find . -name '*.phi-*' | grep -q . && wrong "$1: a temporary is left"
	rm -f a.gguf* .*.phi-*
}

undone=0
for kind in ALLOC IO; do
	for after in "" +; do
		for ((k = 1; ; k++)); do
			cp old.gguf a.gguf
			env PHI_FAIL_$kind=$k$after phi-repack --in-place a.gguf --unset 'tokenizer.*' --set x=1 2>err
			status=$?
			[ $status -eq 2 ] && [ "$(wc -l <err)" -ne 1 ] && wrong "$kind $k$after: $(cat err)"
			judge "$kind $k$after" $status
			# Beyond the last call nothing fails.
			[ $status -eq 0 ] && [ -n "$after" ] && break
			[ $k -gt 200 ] && break
		done
	done
done
# Undoing: cut short, it can be done again.
for after in "" +; do
	for ((k = 1; k <= 40; k++)); do
		cp old.gguf a.gguf && phi-repack --in-place a.gguf --unset 'tokenizer.*' --set x=1
		PHI_FAIL_IO=$k$after phi-repack --undo a.gguf 2>err
		status=$?
		if [ -e a.gguf.undo ]; then
			[ $status -eq 2 ] && phi-repack --undo a.gguf || wrong "undo $k$after: exit $status"
		fi
		cmp -s a.gguf old.gguf && passed=$((passed + 1)) || wrong "undo $k$after: not the old file"
		rm -f a.gguf*
	done
done
cp old.gguf a.gguf
PHI_SHORT_IO=1 phi-repack --in-place a.gguf --unset 'tokenizer.*' --set x=1
judge "one byte at a time" $?
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
