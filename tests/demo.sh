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

run 'phi-inspect phi-tiny | head -n 24'
run 'phi-repack phi-tiny | phi-quant -t q8_0 | phi-repack -o phi-tiny-q8_0.gguf'
run 'phi-quant -t q8_0 phi-tiny -o direct.gguf'
run 'cmp phi-tiny-q8_0.gguf direct.gguf && echo "the pipe and the direct way give the same bytes"'
run 'ls -l phi-tiny/model.safetensors phi-tiny-q8_0.gguf'
run 'phi-inspect phi-tiny-q8_0.gguf | head -n 24'
# Exit status 1 says that they differ, which quantizing makes them do.
run 'phi-diff phi-tiny phi-tiny-q8_0.gguf || test $? -eq 1'
