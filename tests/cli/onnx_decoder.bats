load common

# GroupQueryAttention rotates multiples of 16 dimensions itself: the fixture's 24 become 16.
rotate_16()
{
	jq '.partial_rotary_factor = 0.5 | .rope_scaling.long_factor |= .[:8] | .rope_scaling.short_factor |= .[:8]' \
		Phi-4-mini/config.json >config.json
	mv config.json Phi-4-mini/config.json
}

# same_ways FOLDER OPTIONS...: a decoder is the same from a folder, through a pipe, and with one thread.
same_ways()
{
	local out=$1
	shift
	phi-quant -t int4 "$@" -f onnx Phi-4-mini -o "$out"a/
	phi-quant -t onnx:int4 "$@" Phi-4-mini | phi-repack -f onnx -o "$out"b/
	phi-quant -j1 -t int4 "$@" -f onnx Phi-4-mini -o "$out"c/
	for f in model.onnx model.onnx.data genai_config.json; do
		cmp "$out"a/$f "$out"b/$f
		cmp "$out"a/$f "$out"c/$f
	done
	cmp Phi-4-mini/tokenizer.json "$out"a/tokenizer.json
}

@test "a decoder is the same from a folder, through a pipe, and with one thread" {
	same_ways 24
	phi-inspect --graph 24a/model.onnx | has RotaryEmbedding
	jq -e '.model.decoder.inputs.position_ids == "position_ids"' 24a/genai_config.json
	rotate_16
	same_ways 16
	same_ways asked --for dml --asym --accuracy-level 2 --algo rtn
	same_ways cuda --for cuda --group 16
	same_ways qdq --qdq --asym
	[ "$(phi-inspect --graph 16a/model.onnx | grep -c RotaryEmbedding)" -eq 0 ]
	jq -e '.model.decoder.inputs | has("position_ids") | not' 16a/genai_config.json
}

# The embedding's zero points are made, not read: a tensor of the plan that the model had not.
@test "the zero points of a tied embedding are the middle code" {
	phi-quant -t int8 -f onnx Phi-4-mini -o out/
	offset=$(phi-quant -n --json -t int8 -f onnx Phi-4-mini -o n/ |
		jq '.items[] | select(.name == "model.embed_tokens.weight_zero_points").offset')
	dd if=out/model.onnx.data of=zeros bs=8192 count=1 iflag=skip_bytes skip="$offset" status=none
	[ "$(wc -c <zeros)" -eq 8192 ]
	[ "$(tr -d '\200' <zeros | wc -c)" -eq 0 ]
}

@test "what is no decoder is refused in a line" {
	echo '{"model_type": "other"}' >Phi-4-mini/config.json
	fails 2 "phi-repack: Phi-4-mini: no known family of models: a decoder is built of those only" \
		phi-repack -f onnx Phi-4-mini -o out/
	[ ! -e out ]
}

@test "options of a decoder that cannot be met are refused by name" {
	fails 2 "phi-quant: Phi-4-mini: a decoder for qnn: it wants shapes that are fixed and ranges of all values, and a decoder has neither" \
		phi-quant -t int4 --for qnn -f onnx Phi-4-mini -o out/
	fails 2 "phi-quant: Phi-4-mini: a decoder of F32 for this device: its attention has F16 only" \
		phi-quant -t f32 --for cuda -f onnx Phi-4-mini -o out/
	fails 2 "phi-quant: Phi-4-mini: a decoder of BF16: the attention of the CPU has none; the nearest type it can hold is F16" \
		phi-quant -t bf16 -f onnx Phi-4-mini -o out/
	fails 2 "phi-quant: Phi-4-mini: int8_dynamic is made of an ONNX model: make that first, by -t f32" \
		phi-quant -t int8_dynamic -f onnx Phi-4-mini -o out/
	fails 2 "phi-quant: tensor model.layers.0.attn.q_proj.MatMul.weight: DequantizeLinear has no codes of 2 bits in blocks" \
		phi-quant -t int2 --qdq -f onnx Phi-4-mini -o out/
	fails 2 "phi-quant: blocks have 16, 32, 64, 128 or 256 weights, not 48" \
		phi-quant -t int4 --group 48 -f onnx Phi-4-mini -o out/
	[ ! -e out ]
}

# types RECIPE...: how many weights of each type a decoder gets.
types()
{
	phi-quant -n --json -t "$@" -f onnx Phi-4-mini -o n/ |
		jq -r '.items[] | select(.name | test("_Q[248]$")).dtype' | sort | uniq -c | awk '{ printf "%s %s;", $1, $2 }'
}

@test "recipes of a decoder: the head, and layers that matter, have more bits" {
	[ "$(types int4)" = "15 ONNX4_G32_F32;" ]
	[ "$(types int4 --group 128)" = "15 ONNX4_G128_F32;" ]
	[ "$(types int4_last)" = "14 ONNX4_G32_F32;1 ONNX8_G32_F32;" ]
	[ "$(types int4_mixed)" = "12 ONNX4_G32_F32;3 ONNX8_G32_F32;" ]
	[ "$(types int4 --for dml)" = "15 ONNX4_G32_F16;" ]
	[ "$(types int4 --rule '*.q_proj.*=onnx8_g16_f32' --keep '*.v_proj.*')" = "11 ONNX4_G32_F32;2 ONNX8_G16_F32;" ]
}
