#!/usr/bin/env bash
# The main job on the shipped fixture, each command shown before it runs: tests/demo.sh BUILD
set -eu -o pipefail
PATH=$(cd "$1" && pwd):$PATH
model=$(pwd)/fixtures/phi-tiny
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
ln -s "$model" phi-tiny

run()
{
	echo
	echo "\$ $1"
	eval "$1"
}

run 'phi-inspect phi-tiny | sed -n 1,24p'
run 'phi-repack phi-tiny | phi-quant -t q8_0 | phi-repack -o phi-tiny-q8_0.gguf'
run 'phi-quant -t q8_0 phi-tiny -o direct.gguf'
run 'cmp phi-tiny-q8_0.gguf direct.gguf && echo "the pipe and the direct way give the same bytes"'
run 'ls -l phi-tiny/model.safetensors phi-tiny-q8_0.gguf'
run 'phi-inspect phi-tiny-q8_0.gguf | sed -n 1,24p'
run 'phi-quant -t q4_k_m --report phi-tiny -o phi-tiny-q4_k_m.gguf'
# Exit status 1 says that they differ, which quantizing makes them do.
run 'phi-diff --heatmap phi-tiny phi-tiny-q4_k_m.gguf || test $? -eq 1'
