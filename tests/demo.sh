#!/usr/bin/env bash
# The main job on the shipped fixture, each command shown before it runs: tests/demo.sh BUILD. Where the peers are installed
# (make check-peers does that), llama.cpp, mlx-lm and onnxruntime-genai speak with what was made.
set -eu -o pipefail
PATH=$(cd "$1" && pwd):$PATH
top=$(pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
ln -s "$top/fixtures/phi-tiny" phi-tiny

run()
{
	echo
	echo "\$ $1"
	eval "$1"
}

run 'phi-inspect phi-tiny | sed -n 1,24p'
run 'phi-repack phi-tiny | phi-quant -t q4_k_m | phi-repack -o phi-tiny-q4_k_m.gguf'
run 'phi-quant -t q4_k_m --report phi-tiny -o direct.gguf'
run 'cmp phi-tiny-q4_k_m.gguf direct.gguf && echo "the pipe and the direct way give the same bytes"'
run 'ls -l phi-tiny/model.safetensors phi-tiny-q4_k_m.gguf'
run 'phi-inspect phi-tiny-q4_k_m.gguf | sed -n 1,24p'
# Exit status 1 says that they differ, which quantizing makes them do.
run 'phi-diff --heatmap phi-tiny phi-tiny-q4_k_m.gguf || test $? -eq 1'
run 'phi-quant -t mlx:4 phi-tiny -o phi-tiny-mlx/'
run 'phi-inspect phi-tiny-mlx | sed -n 1,8p'
run 'phi-diff --brief phi-tiny-q4_k_m.gguf phi-tiny-mlx || test $? -eq 1'
run 'phi-quant -t int4 -f onnx phi-tiny -o phi-tiny-onnx/'
run 'ls -l phi-tiny-onnx'
run 'phi-inspect --graph phi-tiny-onnx/model.onnx | sed -n 1,16p'
if [ -f "${PHI_PEERS:-$top/build/peers}/stamp" ]; then
	speak=$top/tests/peers/speak.py
	run '"$speak" "The lighthouse" "stands on a small rock" phi-tiny-q4_k_m.gguf phi-tiny-mlx phi-tiny-onnx'
fi
