load common

# ONNX Runtime rotates multiples of 16 dimensions: the fixture's 24 become 16.
rotate_16()
{
	jq '.partial_rotary_factor = 0.5 | .rope_scaling.long_factor |= .[:8] | .rope_scaling.short_factor |= .[:8]' \
		Phi-4-mini/config.json >config.json
	mv config.json Phi-4-mini/config.json
}

@test "a decoder is the same from a folder, through a pipe, and with one thread" {
	rotate_16
	phi-quant -t int4 -f onnx Phi-4-mini -o a/
	phi-quant -t onnx:int4 Phi-4-mini | phi-repack -f onnx -o b/
	phi-quant -j1 -t int4 -f onnx Phi-4-mini -o c/
	for f in model.onnx model.onnx.data genai_config.json; do
		cmp a/$f b/$f
		cmp a/$f c/$f
	done
	cmp Phi-4-mini/tokenizer.json a/tokenizer.json
}

@test "what no runtime rotates, and what is no decoder, is refused in a line" {
	fails 2 "phi-repack: 24 rotary dimensions of a head: ONNX Runtime rotates multiples of 16" \
		phi-repack -f onnx Phi-4-mini -o out/
	echo '{"model_type": "other"}' >Phi-4-mini/config.json
	fails 2 "phi-repack: Phi-4-mini: no known family of models: a decoder is built of those only" \
		phi-repack -f onnx Phi-4-mini -o out/
	[ ! -e out ]
}
