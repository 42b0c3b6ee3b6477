#!/usr/bin/env bash
# Conversions with eight threads against one, with the tools of a build under TSan: tests/threads.sh BUILD
set -u -o pipefail
PATH=$1:$PATH
model=$(pwd)/fixtures/phi-tiny
export TSAN_OPTIONS=halt_on_error=1:exitcode=66
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
passed=0 failed=0
# same NAME COMMAND: it runs with -j1 and with -j8 and gives the same bytes.
same()
{
	if bash -o pipefail -c "${2//JOBS/-j1}" >one 2>log && bash -o pipefail -c "${2//JOBS/-j8}" >eight 2>>log &&
		cmp one eight 2>>log; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAILED $1"
		head -n 40 log
	fi
}
phi-quant -q -t f16 "$model" -o f16.gguf
same "repack to a file" "phi-repack -q JOBS --force $model -o o.gguf && cat o.gguf"
same "quant to a file" "phi-quant -q JOBS -t q8_0 --force $model -o o.gguf && cat o.gguf"
same "q4_0 out of a pipe" "cat f16.gguf | phi-quant -q JOBS --pure -t q4_0 -f gguf"
same "three stages" "phi-repack -q JOBS $model | phi-quant -q JOBS -t q8_0 | phi-repack -q JOBS -f gguf"
same "a compressed stream" "phi-repack -q -z JOBS $model"
same "sums" "phi-inspect --json --sum JOBS $model"
same "a comparison" "phi-diff -q JOBS $model f16.gguf || test \$? -eq 1"
# A failure in one of many threads.
head -c 3000000 f16.gguf >cut.gguf
for i in 1 2 3; do
	phi-repack -q -j8 --force cut.gguf -o x.gguf 2>log
	[ $? -eq 2 ] && [ "$(wc -l <log)" -eq 1 ] && passed=$((passed + 1)) || { failed=$((failed + 1)); cat log; }
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
