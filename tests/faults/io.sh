#!/usr/bin/env bash
# Every read and write made to fail, then to move one byte at a time; full and closed outputs:
# tests/faults/io.sh BUILD
set -u
build=$(cd "$1" && pwd)
passed=0 failed=0
export LC_ALL=C
log=$(mktemp)
scratch=$(mktemp -d)
small=
trap '[ -z "$small" ] || umount "$small"; rm -rf "$log" "$scratch"' EXIT

for kind in io short; do
	python3 tests/faults/sweep.py "$build" $kind >"$log" 2>&1
	grep '^FAILED' "$log"
	read -r p _ f _ < <(grep '^[0-9]* passed' "$log" || { cat "$log" >&2; echo 0 passed, 1 failed; })
	passed=$((passed + p)) failed=$((failed + f))
done

model=$(pwd)/fixtures/phi-tiny
cd "$scratch" || exit 2
# refuses WHAT MESSAGE COMMAND: exit 2, one line that holds MESSAGE, nothing new in the folder $where.
refuses()
{
	local status lines
	lines=$(bash -c "$3" 2>&1)
	status=$?
	if [ $status -eq 2 ] && [[ "$lines" == phi-*"$2"* ]] && [[ "$lines" != *$'\n'* ]] &&
		[ -z "$(find "${where:-.}" -mindepth 1 ! -name 'keep*')" ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAILED $1: exit $status: $lines: $(find "${where:-.}" -mindepth 1)"
	fi
}
PATH=$build:$PATH
phi-repack -q "$model" -o keep.gguf
for job in "phi-repack -q -f gguf $model" "phi-repack -q -f safetensors $model/model.safetensors" \
	"phi-quant -q -t q8_0 -f gguf $model" "phi-inspect $model" "phi-diff -q $model keep.gguf" "phi-repack --help" \
	"phi-repack -q -f stream $model" "phi-repack -q -f stream -z $model"; do
	case $job in *stream*) phi-repack --help | grep -q '^  stream' || continue ;; esac
	refuses "full: $job" "No space left on device" "$job >/dev/full"
	refuses "closed: $job" "Bad file descriptor" "$job >&-"
done

# A file system with less room than the output needs: found while writing, nothing stays.
if [ "$(id -u)" = 0 ] && mkdir small && mount -t tmpfs -o size=1m tmpfs small 2>/dev/null; then
	small=$scratch/small where=small
	for job in "phi-repack -q $model -o small/o.gguf" "phi-repack -q $model -o small/o/" \
		"phi-quant -q -t q8_0 $model -o small/o.gguf" "phi-repack -q -j1 $model/model.safetensors -o small/o.safetensors" \
		"phi-repack -q -f gguf $model | phi-repack -q -o small/o.gguf" \
		"cat $model/model.safetensors | TMPDIR=small phi-repack -q -o small/o.gguf"; do
		refuses "small: $job" "No space left on device" "$job"
	done
	echo precious >small/keep
	phi-repack -q --force "$model" -o small/keep 2>/dev/null -f gguf
	[ "$(cat small/keep)" = precious ] && passed=$((passed + 1)) || { failed=$((failed + 1)); echo "FAILED small: keep is gone"; }
fi
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
