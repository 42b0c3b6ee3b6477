# From a GGUF back to a checkpoint folder: what is made, what is kept, what is refused.
load common

# gguf [OPTION...]: the GGUF of the folder, a.gguf
gguf()
{
	phi-repack -q "$@" Phi-4-mini -o a.gguf
}

@test "a folder is made of a GGUF" {
	gguf
	run phi-repack a.gguf -f hf -o back
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 1 ]
	[[ "$output" == "phi-repack: warning: a GGUF does not say all that a checkpoint does; as in phi3 models are set: attention_bias, "* ]]
	[ "$(ls back | xargs)" = "config.json generation_config.json model.safetensors tokenizer.json tokenizer_config.json" ]
	golden back.config.json <back/config.json
	golden back.generation_config.json <back/generation_config.json
	jq -S 'del(.added_tokens_decoder)' back/tokenizer_config.json | golden back.tokenizer_config.json
	for f in back Phi-4-mini; do
		jq -cS '.model | {vocab, merges}' $f/tokenizer.json >$f.tokenizer
		jq -cS '[.added_tokens[] | {id, content, rstrip}]' $f/tokenizer.json >$f.added
	done
	cmp back.added Phi-4-mini.added
	[ "$(jq -c .merges back.tokenizer)" = "$(jq -c .merges Phi-4-mini.tokenizer)" ]
	# the checkpoint's vocabulary does not have the added tokens once more
	[ "$(jq '[.vocab | to_entries[] | select(.key | startswith("<|") | not)] | from_entries' back.tokenizer)" = \
		"$(jq '[.vocab | to_entries[] | select(.key | startswith("<|") | not)] | from_entries' Phi-4-mini.tokenizer)" ]
	phi-diff --brief Phi-4-mini back
	cmp back/model.safetensors Phi-4-mini/model.safetensors
	phi-inspect --check back
	phi-repack -q --name Phi-4-mini back -o b.gguf
	cmp a.gguf b.gguf
}

@test "--keep-all loses nothing" {
	gguf --keep-all
	phi-repack a.gguf -f hf -o back >out 2>&1
	[ ! -s out ]
	diff -r Phi-4-mini back
	# also after the weights were quantized, and through pipes
	phi-quant -q -t q8_0 a.gguf | phi-repack -f hf -o quantized
	rm -f Phi-4-mini/model.safetensors quantized/model.safetensors
	diff -r Phi-4-mini quantized
}

@test "types that config.json does not name are kept" {
	mkdir two
	cp Phi-4-mini/*.json two
	phi-quant -q -t f32 --only 'model.norm.weight' Phi-4-mini -f safetensors --pure -o norm.safetensors
	phi-repack -q --exclude 'model.norm.weight' Phi-4-mini -f safetensors -o rest.safetensors
	phi-repack -q --merge norm.safetensors rest.safetensors -o two/model.safetensors
	phi-quant -q -t bf16 --keep-all two -o a.gguf
	[ "$(phi-inspect --json a.gguf | jq -c '.metadata["phi.tensor_types"]')" = '["F32 model.norm.weight"]' ]
	phi-repack a.gguf -f hf -o back
	[ "$(phi-inspect --json back | jq -r '.tensors[] | select(.dtype == "F32") | .name')" = model.norm.weight ]
	phi-diff --brief --strict two back
}

@test "weights take the type of the checkpoint, or the one asked for" {
	phi-quant -q -t q4_k_m Phi-4-mini -o a.gguf
	phi-repack -q a.gguf -f hf -o back
	[ "$(phi-inspect --json back | jq -r '.tensors[].dtype' | sort -u)" = BF16 ]
	phi-quant -q -t f32 a.gguf -f hf -o single
	[ "$(jq -r .torch_dtype single/config.json)" = float32 ]
	[ "$(phi-inspect --json single | jq -r '.tensors[] | select(.shape | length > 1) | .dtype' | sort -u)" = F32 ]
	phi-repack -q a.gguf -f hf-bin -o pickled
	phi-diff --brief back pickled
	phi-repack -q --shard-size 1M a.gguf -f hf -o shards
	[ -e shards/model.safetensors.index.json ]
	phi-diff --brief back shards
}

@test "what a folder cannot say is refused" {
	gguf
	edit()
	{
		rm -f b.gguf
		phi-repack -q "$@" a.gguf -o b.gguf
	}
	edit --set tokenizer.ggml.pre=tekken
	fails 2 "phi-repack: b.gguf: tokenizer: the pre-tokenizer tekken is not known; name one that splits as it does with --pre (gpt-2, dbrx, llama-bpe, gpt-4o)" \
		phi-repack -q b.gguf -f hf -o back
	phi-repack -q --pre gpt-4o b.gguf -f hf -o back
	rm -r back
	edit --set tokenizer.ggml.model=bert
	fails 2 "phi-repack: b.gguf: tokenizer: a vocabulary of the kind bert; gpt2 and llama are known" \
		phi-repack -q b.gguf -f hf -o back
	edit --unset tokenizer.ggml.merges
	fails 2 "phi-repack: b.gguf: tokenizer: key tokenizer.ggml.merges is missing" phi-repack -q b.gguf -f hf -o back
	edit --set tokenizer.ggml.eos_token_id:u32=99999
	run phi-repack -q b.gguf -f hf -o back
	[[ "$output" == "phi-repack: b.gguf: tokenizer: key tokenizer.ggml.eos_token_id is 99999; there are "* ]]
	edit --unset phi3.block_count
	fails 2 "phi-repack: b.gguf: phi3.block_count is missing" phi-repack -q b.gguf -f hf -o back
	edit --set phi3.rope.scaling.attn_factor:f32=1.5
	run phi-repack -q b.gguf -f hf -o back
	[ "$status" -eq 2 ]
	[[ "$output" == "phi-repack: b.gguf: rope.scaling.attn_factor is 1.5, where transformers computes "* ]]
	edit --exclude 'rope_factors_short.weight'
	fails 2 "phi-repack: b.gguf: tensor rope_factors_short.weight is missing" phi-repack -q b.gguf -f hf -o back
	edit --exclude 'blk.1.attn_qkv.weight'
	fails 2 "phi-repack: b.gguf: tensor blk.1.attn_qkv.weight is missing" phi-repack -q b.gguf -f hf -o back
	[ ! -e back ]
	# without a tokenizer it is a model all the same
	edit --unset 'tokenizer.*'
	phi-repack b.gguf -f hf -o back 2>err
	has "there are no tokens in it" err
	[ ! -e back/tokenizer.json ]
}

@test "kept files of a stranger" {
	gguf --keep-all
	for name in ../evil.json .hidden.json model.safetensors a/b.json run.py model.safetensors.index.json; do
		rm -f b.gguf
		phi-repack -q --set "phi.file.$name=x" a.gguf -o b.gguf
		run phi-repack -q b.gguf -f hf -o back
		[ "$status" -eq 2 ]
		[[ "$output" == "phi-repack: b.gguf: key phi.file.$name: not the name of a side file" ]]
		[ ! -e back ]
	done
	# a config.json of another model
	rm -f b.gguf
	phi-repack -q --set 'phi.file.config.json={"model_type": "phi", "architectures": ["PhiForCausalLM"]}' a.gguf -o b.gguf
	fails 2 "phi-repack: b.gguf: config.json is not of a phi3 model" phi-repack -q b.gguf -f hf -o back
	rm -f b.gguf
	jq '.intermediate_size = 512' Phi-4-mini/config.json >other.json
	phi-repack -q --set-file phi.file.config.json=other.json a.gguf -o b.gguf
	run phi-repack -q b.gguf -f hf -o back
	[ "$status" -eq 2 ]
	[[ "$output" == "phi-repack: b.gguf: tensor model."* ]]
	[ ! -e back ]
}

@test "--check looks at the tokenizer beside a GGUF" {
	gguf
	mkdir beside
	mv a.gguf beside
	phi-inspect --check beside/a.gguf
	cp Phi-4-mini/{tokenizer.json,tokenizer_config.json,config.json} beside
	phi-inspect --check beside/a.gguf
	(cd beside && phi-inspect --check a.gguf)
	# wrong FILE FILTER RULE TEXT: a file of the folder changed, and what is found
	wrong()
	{
		jq "$2" "Phi-4-mini/$1" >"beside/$1"
		run phi-inspect --check beside/a.gguf
		[ "$status" -eq 1 ]
		[[ "$output" == *"$3"*"$4"* ]] || { echo "$output"; return 1; }
		cp "Phi-4-mini/$1" beside
	}
	wrong tokenizer.json '.model.vocab["zzz"] = .model.vocab["b"] | del(.model.vocab["b"])' tokenizer.tokens "1 tokens are others than in the folder's files, the first is 65, b for zzz"
	wrong tokenizer.json 'del(.model.merges[-1])' tokenizer.merges "the merges are others"
	wrong tokenizer.json '.pre_tokenizer = {type: "ByteLevel", add_prefix_space: false}' tokenizer.pre "the pre-tokenizer is gpt-4o, that of tokenizer.json beside it phi-2"
	wrong tokenizer.json '.model.vocab["zzz"] = 5000' tokenizer.files "token zzz has id 5000, but the embedding has 1024 rows"
	wrong tokenizer_config.json '.bos_token = "<|end|>"' tokenizer.special "the bos token is 1000, by the folder's files 1003"
	wrong tokenizer_config.json '.chat_template = "x"' tokenizer.chat-template "the chat template is another than the folder's"
	# what cannot be read is said, and is no fault of the model's
	jq '.pre_tokenizer.pretokenizers[0].pattern.Regex = "x+"' Phi-4-mini/tokenizer.json >beside/tokenizer.json
	phi-inspect --check beside/a.gguf >out
	has "info.*pattern is not known" out
	echo '{' >beside/tokenizer.json
	run phi-inspect --check beside/a.gguf
	[ "$status" -eq 1 ]
}

@test "--check of a folder reads its tokenizer" {
	phi-inspect --check Phi-4-mini
	jq '.model.vocab["zzz"] = 5000' Phi-4-mini/tokenizer.json >t && mv t Phi-4-mini/tokenizer.json
	run phi-inspect --check Phi-4-mini
	[ "$status" -eq 1 ]
	[[ "$output" == *tokenizer.files*"token zzz has id 5000, but the embedding has 1024 rows"* ]]
}
