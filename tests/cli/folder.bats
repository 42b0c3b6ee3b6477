# From a checkpoint folder to a GGUF: what the folder says, what is missing, what it is called.
load common

# edit FILE FILTER: a JSON file of the folder through jq.
edit()
{
	jq "$2" "Phi-4-mini/$1" >edited.json && mv edited.json "Phi-4-mini/$1"
}

# key FILE KEY
key()
{
	phi-inspect --json --full "$1" | jq -c --arg k "$2" '.metadata[$k]'
}

@test "the folder's name is the model's" {
	phi-repack -q Phi-4-mini -o a.gguf
	[ "$(key a.gguf general.name)" = '"Phi 4 Mini"' ]
	[ "$(key a.gguf general.basename)" = '"Phi-4"' ]
	[ "$(key a.gguf general.size_label)" = '"mini"' ]
	phi-repack -q --name phi-9-chat Phi-4-mini -o b.gguf
	[ "$(key b.gguf general.name)" = '"Phi 9 Chat"' ]
	[ "$(key b.gguf general.finetune)" = '"chat"' ]
	# a stream carries it
	mkdir elsewhere
	phi-repack -q Phi-4-mini | (cd elsewhere && phi-repack -q -o c.gguf)
	cmp a.gguf elsewhere/c.gguf
}

@test "an unknown pre-tokenizer names --pre" {
	edit tokenizer.json '.pre_tokenizer.pretokenizers[0].pattern.Regex = "\\s+"'
	run phi-repack -q Phi-4-mini -o a.gguf
	[ "$status" -eq 2 ]
	[[ "$output" == *"--pre NAME"* ]]
	only_files
	phi-repack -q --pre dbrx Phi-4-mini -o a.gguf
	[ "$(key a.gguf tokenizer.ggml.pre)" = '"dbrx"' ]
	fails 2 "phi-repack: Phi-4-mini: a b is no name of a pre-tokenizer" phi-repack -q --pre 'a b' Phi-4-mini -o b.gguf
	only_files a.gguf
}

@test "a folder that disagrees with itself" {
	edit config.json '.num_hidden_layers = 3'
	fails 2 "phi-repack: Phi-4-mini: tensor model.layers.2.input_layernorm.weight is missing" \
		phi-repack -q Phi-4-mini -o a.gguf
	edit config.json '.num_hidden_layers = 1'
	run phi-repack -q Phi-4-mini -o a.gguf
	[[ "$output" == *"layer 1, but the configuration has 1" ]]
	edit config.json '.num_hidden_layers = 2 | .intermediate_size = 512'
	run phi-repack -q Phi-4-mini -o a.gguf
	[[ "$output" == *"shape [256, 768], but the configuration makes it [256, 512]" ]]
	edit config.json '.intermediate_size = 768 | .rope_scaling.long_factor |= .[1:]'
	run phi-repack -q Phi-4-mini -o a.gguf
	[[ "$output" == *"config.json: rope_scaling.long_factor has 11 numbers"* ]]
	only_files
}

@test "what is not known is refused" {
	cp Phi-4-mini/config.json keep.json
	for filter in '.rope_scaling.type = "linear"' '.quantization_config = {quant_method: "awq"}' \
		'.hidden_act = "gelu"'; do
		edit config.json "$filter"
		run phi-repack -q Phi-4-mini -o a.gguf
		[ "$status" -eq 2 ]
		[ "${#lines[@]}" -eq 1 ]
		[[ "$output" == "phi-repack: Phi-4-mini: config.json: "* ]]
		cp keep.json Phi-4-mini/config.json
	done
	mv Phi-4-mini/tokenizer.json .
	fails 2 "phi-repack: Phi-4-mini: no tokenizer.json or tokenizer.model: llama.cpp needs the vocabulary in the file" \
		phi-repack -q Phi-4-mini -o a.gguf
	touch Phi-4-mini/tokenizer.model
	fails 2 "phi-repack: Phi-4-mini: tokenizer.model: no pieces: this is no SentencePiece model" \
		phi-repack -q Phi-4-mini -o a.gguf
	# its weights go anywhere else all the same
	phi-repack -q Phi-4-mini -f safetensors -o a.safetensors
	only_files a.safetensors keep.json tokenizer.json
}

@test "both generations of config.json" {
	phi-repack -q Phi-4-mini -o a.gguf
	edit config.json '.rope_parameters = (.rope_scaling + {rope_theta, partial_rotary_factor,
		original_max_position_embeddings} | .rope_type = .type | del(.type)) | .dtype = .torch_dtype
		| del(.rope_scaling, .rope_theta, .partial_rotary_factor, .torch_dtype)'
	jq -e .rope_parameters.long_factor Phi-4-mini/config.json >/dev/null
	phi-repack -q Phi-4-mini -o b.gguf
	cmp a.gguf b.gguf
}

@test "shards go by their names, in a pipe too" {
	python3 - <<'PY'
import json, os, struct
data = open("Phi-4-mini/model.safetensors", "rb").read()
os.remove("Phi-4-mini/model.safetensors")
n = struct.unpack("<Q", data[:8])[0]
head = json.loads(data[8:8 + n])
head.pop("__metadata__", None)
where = {}
for i, file in enumerate(["model-00002-of-00002.safetensors", "model-00001-of-00002.safetensors"]):
    out, body = {}, b""
    for name in sorted(head)[i::2]:
        a, b = head[name]["data_offsets"]
        out[name] = dict(head[name], data_offsets=[len(body), len(body) + b - a])
        body += data[8 + n + a:8 + n + b]
        where[name] = file
    text = json.dumps(out).encode()
    open("Phi-4-mini/" + file, "wb").write(struct.pack("<Q", len(text)) + text + body)
json.dump({"metadata": {}, "weight_map": where}, open("Phi-4-mini/model.safetensors.index.json", "w"))
PY
	phi-quant -q -t q8_0 Phi-4-mini -o a.gguf
	phi-repack -q Phi-4-mini | phi-quant -q -t q8_0 | phi-repack -q -o b.gguf
	cmp a.gguf b.gguf
	phi-repack -q Phi-4-mini | phi-repack -q | phi-quant -q -t q8_0 -o c.gguf
	cmp a.gguf c.gguf
	[ "$(phi-inspect --json a.gguf | jq -r '.tensors[2].name')" = blk.0.attn_norm.weight ]
}

@test "the card is carried, in a pipe too" {
	printf -- '---\nlicense: mit\ntags:\n- code\nlanguage: [en, de]\nbase_model: org/Base-7b\n---\n# Title\n' \
		>Phi-4-mini/README.md
	phi-repack Phi-4-mini -o a.gguf
	[ "$(key a.gguf general.license)" = '"mit"' ]
	[ "$(key a.gguf general.tags)" = '["code"]' ]
	[ "$(key a.gguf general.languages)" = '["en","de"]' ]
	[ "$(key a.gguf 'general.base_model.0.repo_url')" = '"https://huggingface.co/org/Base-7b"' ]
	phi-repack Phi-4-mini | phi-repack -o b.gguf
	cmp a.gguf b.gguf
	# what is no YAML is named, and the model goes on without
	printf -- '---\nlicense: [mit\n---\n' >Phi-4-mini/README.md
	run phi-repack Phi-4-mini -o c.gguf
	[ "$status" -eq 0 ]
	[[ "$output" == *"README.md: line 3 is no YAML"*"; the card is not carried" ]]
	[ "$(key c.gguf general.license)" = null ]
	printf -- '---\nversion: 1.0\nname: ok\n---\n' >Phi-4-mini/README.md
	run phi-repack Phi-4-mini -o d.gguf
	[[ "$output" == *"README.md: version is no text and is not carried" ]]
	[ "$(key d.gguf general.name)" = '"ok"' ]
}

# give_head LAST: the folder gets a head that is the embedding, but for its last byte, which becomes LAST (in octal).
give_head()
{
	python3 - "$1" <<'PY'
import json, struct, sys
path = "Phi-4-mini/model.safetensors"
file = open(path, "rb").read()
n = struct.unpack("<Q", file[:8])[0]
header, data = json.loads(file[8:8 + n]), file[8 + n:]
entry = dict(header["model.embed_tokens.weight"])
first, end = entry["data_offsets"]
entry["data_offsets"] = [len(data), len(data) + end - first]
header["lm_head.weight"] = entry
head = bytearray(data[first:end])
if sys.argv[1]:
    head[-1] = int(sys.argv[1], 8)
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
open(path, "wb").write(struct.pack("<Q", len(text)) + text + data + head)
PY
}

@test "a tied head that is there all the same" {
	give_head ''
	phi-quant -q -t q8_0 Phi-4-mini -o a.gguf
	phi-inspect --json a.gguf | jq -e '[.tensors[].name] | index("output.weight")'
	phi-repack -q Phi-4-mini | phi-quant -q -t q8_0 -f gguf | cmp - a.gguf
	phi-inspect --check Phi-4-mini
	only_files a.gguf
}

@test "a tied head that is another" {
	local why='tensor lm_head.weight: other values than model.embed_tokens.weight, to which tie_word_embeddings ties it'
	give_head 100
	fails 2 "phi-quant: Phi-4-mini: $why" phi-quant -q -t q8_0 Phi-4-mini -o a.gguf
	fails 2 "phi-repack: Phi-4-mini: $why" phi-repack -q Phi-4-mini -o a.gguf
	phi-repack -q Phi-4-mini >copy.tar
	fails 2 "phi-quant: stdin: $why" phi-quant -q -t q8_0 -f gguf <copy.tar
	run phi-inspect --check Phi-4-mini
	[ "$status" -eq 1 ]
	[[ "$output" == *"Phi-4-mini: invalid: model.head: $why" ]]
	# It is a model if nobody says that it is tied.
	edit config.json '.tie_word_embeddings = false'
	phi-quant -q -t q8_0 Phi-4-mini -o a.gguf
	only_files a.gguf copy.tar
}
