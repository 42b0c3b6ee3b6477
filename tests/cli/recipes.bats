# Recipes, rules, importance: what phi-quant's options do together. Bytes are compared with llama-quantize's by
# tests/peers/test_recipes.py and test_recipe_options.py.
load common

types() { phi-inspect --json "$1" | jq -r '.tensors[] | "\(.name) \(.dtype)"'; }

@test "a mixed recipe, direct and through pipes" {
	phi-quant -t q4_k_m Phi-4-mini -o direct.gguf
	phi-repack Phi-4-mini | phi-quant -t q4_k_m | phi-repack -o piped.gguf
	cmp direct.gguf piped.gguf
	types direct.gguf | has '^blk.0.ffn_down.weight Q4_K$'
	types direct.gguf | has '^blk.1.ffn_down.weight Q6_K$'
	[ "$(phi-inspect --json direct.gguf | jq '.metadata["general.file_type"]')" = 15 ]
}

@test "what -n --json prints can be fed back" {
	phi-quant -t q3_k_l Phi-4-mini -o a.gguf
	phi-quant -n --json -t q3_k_l Phi-4-mini -o a.gguf >recipe.json
	phi-quant --recipe recipe.json Phi-4-mini -o b.gguf
	cmp a.gguf b.gguf
	# Edited: one tensor; a rule on the command line comes after.
	jq '(.items[] | select(.name == "blk.0.attn_qkv.weight")).dtype = "Q8_0"' recipe.json >edited.json
	phi-quant --recipe edited.json --rule 'blk.1.*=Q5_0' --keep '*output*' Phi-4-mini -o c.gguf
	types c.gguf >c
	has '^blk.0.attn_qkv.weight Q8_0$' <c
	has '^blk.1.attn_qkv.weight Q5_0$' <c
	has '^blk.1.attn_output.weight BF16$' <c
	echo '{"rules": [{"name": "*ffn*", "dtype": "IQ4_NL"}, {"name": "/ffn/", "dtype": "F32"}]}' >rules.json
	phi-quant --recipe rules.json -t q8_0 Phi-4-mini -o d.gguf
	types d.gguf | has '^blk.0.ffn_up.weight IQ4_NL$'
}

@test "regular expressions, types of output and embedding" {
	phi-repack Phi-4-mini -o m.gguf
	phi-quant -t q4_0 --rule '/blk\.[01]\.ffn_(up|down)/=Q5_1' --embedding-type q6_k m.gguf -o a.gguf
	types a.gguf >a
	[ "$(grep -c Q5_1 a)" = 4 ]
	has '^token_embd.weight Q6_K$' <a
	phi-quant -t q4_0 --output-type q5_0 m.gguf -o b.gguf
	types b.gguf | has '^token_embd.weight Q5_0$'
	fails 2 "phi-quant: rule /a(/: Unmatched ( or \\(" phi-quant -t q4_0 --rule '/a(/=F16' m.gguf -o x.gguf
	fails 2 "phi-quant: --output-type Q9: there is no such type" phi-quant -t q4_0 --output-type Q9 m.gguf
	fails 2 "phi-quant: --output-type: there is no way to make Q8_K" phi-quant -t q4_0 --output-type Q8_K m.gguf -o x.gguf
	fails 2 "phi-quant: --compat old: llama.cpp or llama.cpp-2025 is expected" phi-quant -t q4_0 --compat old m.gguf
}

@test "importance by the names of the GGUF and of Hugging Face" {
	phi-repack Phi-4-mini -o m.gguf
	imatrix gguf.dat blk.{0,1}.attn_qkv.weight:256 blk.{0,1}.attn_output.weight:256 blk.{0,1}.ffn_up.weight:256 blk.{0,1}.ffn_down.weight:768
	imatrix hf.dat model.layers.{0,1}.self_attn.{qkv,o}_proj.weight:256 model.layers.{0,1}.mlp.gate_up_proj.weight:256 \
		model.layers.{0,1}.mlp.down_proj.weight:768
	phi-quant -t q4_k_m --imatrix gguf.dat Phi-4-mini -o a.gguf
	phi-quant -t q4_k_m --imatrix hf.dat Phi-4-mini -o b.gguf
	phi-quant -t q4_k_m Phi-4-mini -o plain.gguf
	phi-diff --brief a.gguf b.gguf
	! phi-diff --brief a.gguf plain.gguf
	phi-repack Phi-4-mini | phi-quant -t q4_k_m --imatrix gguf.dat | phi-repack -o piped.gguf
	cmp a.gguf piped.gguf
	phi-inspect --json a.gguf | jq -r '.metadata | to_entries[] | select(.key | startswith("quantize")) | "\(.key) \(.value)"' >keys
	printf '%s\n' 'quantize.imatrix.file gguf.dat' 'quantize.imatrix.dataset wiki.txt' 'quantize.imatrix.entries_count 8' \
		'quantize.imatrix.chunks_count 5' | diff keys -
	phi-inspect gguf.dat | has 'blk.0.attn_qkv.weight.in_sum2'
}

@test "importance is checked, its bytes are told apart" {
	imatrix a.dat blk.0.attn_qkv.weight:256 blk.1.attn_qkv.weight:256
	phi-inspect --check a.dat
	phi-inspect --layout a.dat | has '^ *37 *1024  tensor *blk.0.attn_qkv.weight.in_sum2'
	[ "$(phi-inspect --layout a.dat | tail -n 1 | xargs)" = "2118 16 trailer - a.dat" ]
	printf '\0\0\0\277' | dd of=a.dat bs=1 seek=37 conv=notrunc 2>/dev/null
	run phi-inspect --check a.dat
	[ "$status" = 1 ]
	has 'imatrix.values.*importance of column 0 is -0.25' <<<"$output"
}

@test "what lacks importance is said, and refused where it is needed" {
	phi-repack Phi-4-mini -o m.gguf
	imatrix part.dat blk.0.attn_qkv.weight:256 blk.0.ffn_up.weight:256
	phi-quant -t q4_0 --imatrix part.dat m.gguf -o a.gguf 2>log
	[ "$(cat log)" = "phi-quant: warning: 6 tensors of the model have no importance (the first: blk.0.attn_output.weight)" ]
	fails 2 "phi-quant: tensor blk.0.attn_output.weight: IQ2_XXS is not made without importance, and the imatrix has none of it" \
		phi-quant -q -t iq2_xxs --imatrix part.dat --rule '*ffn_down*=Q4_0' m.gguf -o x.gguf
	fails 2 "phi-quant: tensor blk.0.attn_output.weight: IQ2_XXS is not made without importance (see --imatrix)" \
		phi-quant -q -t iq2_xxs m.gguf -o x.gguf
	# A dry run says it and goes on.
	phi-quant -n -t iq2_xxs m.gguf -o x.gguf >plan 2>log
	has 'cannot be made without importance (the first: blk.0.attn_output.weight: IQ2_XXS)' <log
	has IQ2_XXS <plan
	phi-quant -n --explain -t q4_0 --imatrix part.dat m.gguf -o x.gguf 2>log | has 'recipe q4_0; no importance'
	phi-quant -t q8_0 --imatrix part.dat m.gguf -o b.gguf 2>log
	[ "$(cat log)" = "phi-quant: warning: importance changes no tensor of this recipe" ]
	imatrix odd.dat blk.0.attn_qkv.weight:100
	fails 2 "phi-quant: tensor blk.0.attn_qkv.weight: 100 numbers of importance for 256 columns of 1 matrix" \
		phi-quant -q -t q4_0 --imatrix odd.dat m.gguf -o x.gguf
	fails 2 "phi-quant: m.gguf: has no importance: no imatrix file" phi-quant -q -t q4_0 --imatrix m.gguf m.gguf -o x.gguf
	fails 2 "phi-quant: none.dat: No such file or directory" phi-quant -t q4_0 --imatrix none.dat m.gguf -o x.gguf
}

@test "what is quantized already" {
	phi-quant -t q8_0 Phi-4-mini -o q8.gguf
	phi-quant -t q4_0 q8.gguf -o a.gguf 2>log
	has 'are quantized already' <log
	phi-quant -t q4_0 --from-quantized q8.gguf -o b.gguf 2>log
	[ ! -s log ]
	cmp a.gguf b.gguf
}

@test "parts stay parts" {
	phi-repack --split-count 3 Phi-4-mini -o m.gguf
	phi-quant -t q4_0 --keep-split m-00001-of-00003.gguf -o q.gguf
	for i in 1 2 3; do
		diff <(types m-0000$i-of-00003.gguf | cut -d' ' -f1) <(types q-0000$i-of-00003.gguf | cut -d' ' -f1)
	done
	fails 2 "phi-quant: parts stay as they were or are cut anew, not both" \
		phi-quant -q -t q4_0 --keep-split --split-count 2 m-00001-of-00003.gguf -o x.gguf
	phi-quant -t copy m-00001-of-00003.gguf -o copy.gguf
	phi-diff --brief Phi-4-mini copy.gguf
}

@test "rows that no block divides are said" {
	safetensors a.safetensors 'w.weight=F32:2x96:'"$(seq -s, 192)"
	phi-quant -t gguf:q4_k_m a.safetensors -o a.gguf 2>log
	has 'the rows of 1 tensor are no whole blocks of the type it was to have (w.weight): it gets another' <log
	types a.gguf | has '^w.weight Q5_0$'
}
