load common

# The fixture's decoder, of floats and of codes.
decoders()
{
	phi-repack -f onnx Phi-4-mini -o f32/
	phi-quant -t int4 -f onnx Phi-4-mini -o int4/
}

@test "a decoder's folder is the checkpoint it was made of" {
	decoders
	phi-diff f32/ Phi-4-mini/
	phi-repack f32/ -f hf -o back/
	phi-diff back/ Phi-4-mini/
	for f in config.json tokenizer.json tokenizer_config.json generation_config.json; do
		cmp back/$f Phi-4-mini/$f
	done
	phi-quant --pure -t bf16 f32/ -f hf -o bf16/
	phi-diff --strict bf16/ Phi-4-mini/
	phi-repack f32/ | phi-repack -f hf -o piped/
	cmp piped/model.safetensors back/model.safetensors
}

@test "a decoder's folder becomes a decoder again, byte for byte" {
	decoders
	phi-repack -f onnx f32/ -o again/
	for f in model.onnx model.onnx.data genai_config.json; do
		cmp again/$f f32/$f
	done
}

@test "a decoder of codes becomes the floats they stand for" {
	decoders
	phi-repack int4/ -f hf -o back/
	phi-diff int4/ back/
	phi-quant -t f32 -f gguf --name x int4/ -o a.gguf
	phi-quant -t f32 -f gguf --name x back/ -o b.gguf
	cmp a.gguf b.gguf
	phi-repack int4/ -f mlx -o mlx/
	phi-inspect mlx/ >text
}

@test "what is wrong with a decoder's folder is said in a line" {
	decoders
	cp f32/genai_config.json kept.json
	jq '.model.decoder.filename = "../f32/model.onnx"' kept.json >f32/genai_config.json
	fails 2 "phi-inspect: f32: genai_config.json: its decoder, ../f32/model.onnx, is not in this folder" phi-inspect f32
	jq '.model.decoder.filename = "gone.onnx"' kept.json >f32/genai_config.json
	fails 2 "phi-inspect: f32: genai_config.json: its decoder, gone.onnx, is missing" phi-inspect f32
	jq 'del(.model.decoder.filename)' kept.json >f32/genai_config.json
	fails 2 "phi-inspect: f32: genai_config.json: it names no file for the decoder (model.decoder.filename)" phi-inspect f32
	jq '.model.decoder.pipeline = []' kept.json >f32/genai_config.json
	fails 2 "phi-inspect: f32: genai_config.json: a decoder in several files (pipeline) is not read" phi-inspect f32
	ln -sf /etc/passwd f32/link.onnx
	jq '.model.decoder.filename = "link.onnx"' kept.json >f32/genai_config.json
	! phi-inspect f32 2>message
	[ "$(wc -l <message)" -eq 1 ]
	echo '[' >f32/genai_config.json
	! phi-inspect f32 2>message
	[ "$(wc -l <message)" -eq 1 ]
	cp kept.json f32/genai_config.json
	truncate -s -4096 f32/model.onnx.data
	! phi-inspect f32 2>message
	[ "$(wc -l <message)" -eq 1 ]
}

@test "without a config.json a decoder says what it is like" {
	decoders
	rm f32/config.json int4/config.json
	for d in f32 int4; do
		phi-repack $d/ -f hf -o $d-back/ 2>message
		has "without a config.json a decoder does not say all that a checkpoint does" message
		[ "$(wc -l <message)" -eq 1 ]
		for key in hidden_size intermediate_size num_hidden_layers num_attention_heads num_key_value_heads vocab_size \
			max_position_embeddings original_max_position_embeddings rms_norm_eps partial_rotary_factor rope_theta \
			tie_word_embeddings bos_token_id rope_scaling.long_factor rope_scaling.short_factor; do
			[ "$(jq -c ".$key" $d-back/config.json)" = "$(jq -c ".$key" Phi-4-mini/config.json)" ] || { echo $key; false; }
		done
	done
	phi-diff f32-back/ Phi-4-mini/
	phi-repack -q -f onnx f32-back/ -o again/
	cmp again/model.onnx f32/model.onnx
	cmp again/model.onnx.data f32/model.onnx.data
}

@test "codes of a GGUF come back from a decoder as they were" {
	phi-quant --pure -t q4_0 -f gguf Phi-4-mini -o a.gguf
	phi-repack --lossless a.gguf -f onnx -o codes/
	phi-repack -q --lossless codes/ -f gguf -o b.gguf
	phi-diff --json a.gguf b.gguf | jq -e '[.tensors[] | select(.dtype[0] != .dtype[1])] == []'
}

@test "parts of several types stay parts, to be compared" {
	phi-quant -q -t int4_mixed -f onnx Phi-4-mini -o mixed/
	phi-inspect mixed/ >text 2>message
	[ "$(cat message)" = "phi-inspect: warning: 1 weight that a checkpoint has whole stays in parts, which are of several types here: fit to be looked at and compared, not to be loaded; the first: model.layers.0.self_attn.qkv_proj.weight" ]
	has v_proj text
	! phi-diff -q mixed/ Phi-4-mini >text
	has "16 tensors, 5 equal, 11 differ" text
	fails 2 "phi-repack: mixed/: tensor model.layers.0.self_attn.q_proj.weight: a phi3 model has no such tensor" \
		phi-repack -q -f gguf mixed/ -o x.gguf
}
