# MLX folders: what is chosen, what is written, what is read, what is refused.
load common

small=$BATS_TEST_DIRNAME/../../fixtures/small/mlx

config() # FOLDER FILTER: of config.json
{
	jq -cr "$2" "$1/config.json"
}

# mutate FOLDER PYTHON: changes header (a dict of name -> [dtype, shape, bytes]) and config of a copy of the shared folder
mutate()
{
	cp -r "$small/shared" "$1"
	chmod -R u+w "$1"
	python3 - "$@" <<'PY'
import json, struct, sys
from pathlib import Path
folder, change = Path(sys.argv[1]), sys.argv[2]
raw = (folder / "model.safetensors").read_bytes()
n = struct.unpack("<Q", raw[:8])[0]
head = json.loads(raw[8:8 + n])
head.pop("__metadata__")
t = {k: [v["dtype"], v["shape"], raw[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]]] for k, v in head.items()}
config = json.loads((folder / "config.json").read_text())
q = config["quantization"]
exec(change)
head, data = {"__metadata__": {"format": "mlx"}}, b""
for k, (dtype, shape, b) in t.items():
    head[k] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(b)]}
    data += b
text = json.dumps(head, separators=(",", ":")).encode()
(folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
(folder / "config.json").write_text(json.dumps(config))
PY
}

@test "a folder as others make them: every mode, nulls, paths that are off, stacked experts" {
	phi-diff -q --brief "$small/shared" "$small/meant.safetensors"
	phi-inspect --json "$small/shared" >out 2>err
	[ "$(jq -r .format out)" = mlx ]
	[ "$(jq -r '.tensors[]|select(.name=="lm_head.weight")|.dtype, .shape[1]' out | xargs)" = "MLX_MXFP8 64" ]
	[ "$(jq '[.tensors[]|select(.name|test("experts\\.[0-2]\\.w1.weight$"))]|length' out)" = 3 ]
	! jq -e '.metadata|keys[]|select(startswith("quantization_config"))' out
	[ "$(cat err)" = "phi-inspect: warning: config.json: quantization names 1 module that is not there: model.layers.7.mlp.down_proj" ]
	phi-repack -q "$small/shared" -f safetensors -o out.safetensors
	phi-diff -q --brief out.safetensors "$small/meant.safetensors" --tolerance rel=0.01
}

@test "what is chosen: matrices, the embedding, rows of whole groups; norms stay" {
	phi-quant -q -t mlx:4 Phi-4-mini -o m/
	phi-inspect --json m | jq -r '.tensors[]|.dtype' | sort | uniq -c | awk '{ print $1, $2 }' | xargs >types
	[ "$(cat types)" = "5 BF16 9 MLX4_G64_BF16" ]
	[ "$(config m .quantization)" = '{"group_size":64,"bits":4,"mode":"affine"}' ]
	[ "$(config m .quantization)" = "$(config m .quantization_config)" ]
	jq -e '.metadata.total_parameters == 1770752 and (.weight_map|length) == 32' m/model.safetensors.index.json
	[ "$(config m 'keys == (keys|sort)')" = true ]
	[ "$(head -3 m/README.md)" = "$(printf -- '---\nlibrary_name: mlx\npipeline_tag: text-generation')" ]
	phi-quant -q -t int3 -f mlx --group 128 Phi-4-mini -o g
	[ "$(config g .quantization)" = '{"group_size":128,"bits":3,"mode":"affine"}' ]
	phi-quant -q -t mlx:nvfp4 Phi-4-mini -o n/
	[ "$(config n .quantization)" = '{"group_size":16,"bits":4,"mode":"nvfp4"}' ]
}

@test "a rule is a word of config.json, a mixed recipe one for each weight" {
	phi-quant -q -t mlx:4 --rule '*down_proj*=mlx6_g32_bf16' --keep '*embed*' Phi-4-mini -o m/
	[ "$(config m '.quantization|keys|length')" = 5 ]
	[ "$(config m '.quantization["model.layers.1.mlp.down_proj"]')" = '{"group_size":32,"bits":6,"mode":"affine"}' ]
	phi-inspect --json m | jq -e '.tensors[]|select(.name=="model.embed_tokens.weight")|.dtype=="BF16"'
	phi-quant -q -t mlx:mixed_2_6 Phi-4-mini -o x/
	[ "$(config x '.quantization|length')" = 12 ]
	[ "$(config x .quantization.bits)" = 4 ]
	[ "$(config x '.quantization["model.layers.1.self_attn.qkv_proj"].bits')" = 6 ]
}

@test "a pipe, any number of threads, a folder written again: the same bytes" {
	for recipe in mlx:4 mlx:mixed_3_6 mlx:mxfp4; do
		phi-quant -q -t $recipe -j1 Phi-4-mini -o a/
		phi-quant -q -t $recipe -j8 Phi-4-mini -o b/
		phi-repack Phi-4-mini | phi-quant -q -t $recipe | phi-repack -q -o c/
		phi-repack Phi-4-mini | phi-quant -q -t $recipe -o d/
		phi-repack -q a -f mlx -o e
		for f in b c d; do diff -r a $f; done
		cmp a/model.safetensors e/model.safetensors
		rm -r a b c d e
	done
	phi-quant -q -t mlx:4 Phi-4-mini -o f/ -j3 --memory 1
	phi-quant -q -t mlx:4 Phi-4-mini -o g/ --shard-size 400K
	ls g | has model-00002-of-0000
	phi-diff -q --brief f g
}

@test "back: what was not quantized is what it was" {
	phi-repack -q Phi-4-mini -f mlx -o m
	phi-repack -q m -f hf -o back --name Phi-4-mini
	phi-diff --brief back Phi-4-mini
	[ "$(phi-inspect --sum --json back | jq -c '[.tensors[]|[.name,.dtype,.sha256]]|sort')" = \
		"$(phi-inspect --sum --json Phi-4-mini | jq -c '[.tensors[]|[.name,.dtype,.sha256]]|sort')" ]
	phi-quant -q -t mlx:8 Phi-4-mini -o q/
	phi-repack -q q -f hf -o float
	[ "$(config float 'has("quantization") or has("quantization_config")')" = false ]
	phi-inspect --json float | jq -e 'all(.tensors[]; .dtype == "BF16")'
	phi-diff -q --brief float Phi-4-mini --tolerance sqnr=40
	phi-repack -q q -f gguf -o q.gguf
	phi-diff -q --brief q.gguf Phi-4-mini --tolerance sqnr=40
}

@test "a GGUF becomes a folder for MLX" {
	phi-quant -q -t q8_0 Phi-4-mini -o q.gguf
	phi-repack -q q.gguf -f mlx -o m
	phi-quant -q -t mlx:8 --from-quantized q.gguf -o m8/
	phi-inspect --json m | jq -e 'all(.tensors[]; .dtype == "BF16")'
	phi-diff -q --brief m8 Phi-4-mini --tolerance sqnr=35
	[ "$(config m8 '.rope_scaling.type')" = longrope ]
}

@test "the keys of transformers 4, where only those of 5 are there" {
	jq '(.rope_scaling + {rope_theta, rope_type: "longrope", partial_rotary_factor, original_max_position_embeddings})
		as $r | del(.rope_theta, .rope_scaling, .partial_rotary_factor, .original_max_position_embeddings)
		| .rope_parameters = ($r|del(.type))' Phi-4-mini/config.json >new
	want=$(jq -cS '[.rope_theta, .rope_scaling, .partial_rotary_factor, .original_max_position_embeddings]' Phi-4-mini/config.json)
	cp new Phi-4-mini/config.json
	phi-repack -q Phi-4-mini -f mlx -o m
	[ "$(jq -cS '[.rope_theta, .rope_scaling, .partial_rotary_factor, .original_max_position_embeddings]' m/config.json)" = "$want" ]
}

@test "what cannot be chosen" {
	local in="phi-quant: Phi-4-mini"
	fails 2 "phi-quant: groups have 32, 64 or 128 weights, not 48" phi-quant -q -t mlx:4 --group 48 Phi-4-mini -o m/
	fails 2 "phi-quant: recipe mxfp4 has groups of 32, not of 64" phi-quant -q -t mlx:mxfp4 --group 64 Phi-4-mini -o m/
	fails 2 "phi-quant: recipe bf16 has no groups" phi-quant -q -t mlx:bf16 --group 64 Phi-4-mini -o m/
	fails 2 "phi-quant: --group is for MLX and ONNX, not gguf" phi-quant -q -t q8_0 --group 64 Phi-4-mini -o m.gguf
	fails 2 "phi-quant: -t mlx:4 does not go into a gguf output" phi-quant -q -t mlx:4 Phi-4-mini -o m.gguf
	! phi-quant -q -t mlx:q4_k_m Phi-4-mini -o m/ 2>err
	cat err | has '^phi-quant: no recipe for MLX is called q4_k_m; there are 2, 3, 4,'
	phi-repack Phi-4-mini >s
	fails 2 "phi-quant: -t int4: mid-pipe, name the runtime: -t mlx:int4" phi-quant -q -t int4 s
	fails 2 "phi-quant: tensor model.layers.0.input_layernorm.weight: only weights of two dimensions or more are quantized" \
		phi-quant -q -t mlx:4 --rule '*layernorm*=mlx4_g64_bf16' Phi-4-mini -o m/
	fails 2 "phi-quant: tensor model.embed_tokens.weight: mlx cannot hold Q4_0; the nearest it can is MLX8_G32_BF16" \
		phi-quant -q -t mlx:4 --rule '*embed*=q4_0' Phi-4-mini -o m/
	rm err
	only_files s
}

@test "folders that contradict themselves" {
	local down=model.layers.0.mlp.down_proj
	mutate a "t.pop('$down.scales')"
	fails 2 "phi-inspect: a: tensor $down.biases: its scales are missing" phi-inspect a
	mutate b "t.pop('$down.biases')"
	fails 2 "phi-inspect: b: tensor $down.weight: its biases are missing" phi-inspect b
	mutate c "t.pop('$down.weight')"
	fails 2 "phi-inspect: c: tensor $down.biases: its weight is missing" phi-inspect c
	mutate d "t['$down.scales'][1] = [2, 8]"
	fails 2 "phi-inspect: d: tensor $down.weight: weight [4, 32] and scales [2, 8] do not fit 8 bits in groups of 32" phi-inspect d
	mutate e "q['$down']['bits'] = 6"
	fails 2 "phi-inspect: e: tensor $down.weight: weight [4, 32] and scales [4, 4] do not fit 6 bits in groups of 32" phi-inspect e
	mutate f "q['$down']['bits'] = 7"
	fails 2 "phi-inspect: f: config.json: quantization: $down: there is no mode affine of 7 bits in groups of 32" phi-inspect f
	mutate g "q['$down']['mode'] = 'fp3'"
	fails 2 "phi-inspect: g: config.json: quantization: $down: mode fp3 is not known" phi-inspect g
	mutate h "q['$down']['group_size'] = -1"
	fails 2 "phi-inspect: h: config.json: quantization: $down: group_size is no number from 1 to 1024" phi-inspect h
	mutate i "q['$down'] = False"
	fails 2 "phi-inspect: i: tensor $down.weight: there are scales, but config.json says that it is not quantized" phi-inspect i
	mutate j "config.pop('quantization')"
	! phi-inspect j 2>err
	cat err | has 'there are scales, but config.json says nothing of quantization$'
	mutate k "t['lm_head.biases'] = t['lm_head.scales']"
	fails 2 "phi-inspect: k: tensor lm_head.weight: biases, which its mode has not" phi-inspect k
	mutate l "t['$down.scales'][0] = t['$down.biases'][0] = 'BF16'; t['$down.biases'][0] = 'F16'"
	fails 2 "phi-inspect: l: tensor $down.weight: scales and biases differ in type or shape" phi-inspect l
	mutate m "t['lm_head.scales'][0] = 'I8'"
	fails 2 "phi-inspect: m: tensor lm_head.weight: its scales are no U8" phi-inspect m
	mutate n "t['$down.weight'][0] = 'I32'"
	fails 2 "phi-inspect: n: tensor $down.weight: there are scales, but the weight is no U32" phi-inspect n
	mutate o "t['language_model.x'] = t['lm_head.scales']"
	fails 2 "phi-inspect: o: tensor language_model.x: a model of text with towers, which is not read" phi-inspect o
	mutate p "t['lm_head.extra.weight'] = t['lm_head.weight']"
	fails 2 "phi-inspect: p: tensor lm_head.extra.weight: its scales are missing" phi-inspect p
	mutate q "k = 'model.layers.0.block_sparse_moe.switch_mlp.gate_proj.'
for n in ('weight', 'scales', 'biases'): t[k + n][1] = [12] + t[k + n][1][2:]"
	fails 2 "phi-inspect: q: tensor ${down%mlp*}block_sparse_moe.switch_mlp.gate_proj.weight: not a stack of matrices" phi-inspect q
}

@test "what is wrong with a folder, and where everything is" {
	phi-quant -q -t mlx:6 Phi-4-mini -o m/
	phi-inspect -q --check m
	phi-inspect --layout m >layout
	has 'model.layers.1.mlp.down_proj.biases' <layout
	phi-inspect --sum --stats --json m | jq -e 'all(.tensors[]; .sha256|length == 64)'
	[ "$(phi-inspect --sum --json m | jq -r '.tensors[0].sha256')" = "$(phi-repack -q m | phi-inspect --sum --json | jq -r '.tensors[0].sha256')" ]
}

@test "mixed recipes are for models with down_proj" {
	python3 - <<'PY'
import json
c = json.load(open("Phi-4-mini/config.json"))
json.dump({"model_type": "small"}, open("Phi-4-mini/config.json", "w"))
PY
	phi-repack -q --rename 's/down_proj/fc2/' Phi-4-mini -f hf -o other
	fails 2 "phi-quant: recipe mixed_4_6 is for models with weights called down_proj, which this one has not" \
		phi-quant -q -t mlx:mixed_4_6 other -o m/
}
