# Several models as one, and adapters worked in.
load common

values()
{
	python3 - "$@" <<'PY'
import json, struct, sys
raw = open(sys.argv[1], "rb").read()
n, = struct.unpack("<Q", raw[:8])
t = json.loads(raw[8:8 + n])[sys.argv[2]]
a, b = t["data_offsets"]
print(*struct.unpack("<%df" % ((b - a) // 4), raw[8 + n + a:8 + n + b]))
PY
}

# adapter FOLDER CONFIG: factors of w.weight, [2, 3], rank 2
adapter()
{
	mkdir -p $1
	safetensors $1/adapter_model.safetensors base_model.model.w.lora_A.weight=F32:2x3:1,2,3,0,1,0 \
		base_model.model.w.lora_B.weight=F32:2x2:1,0,2,10
	echo "{\"peft_type\": \"LORA\", \"r\": 2, \"bias\": \"none\", $2}" >$1/adapter_config.json
}

@test "tensors of all, keys of the first" {
	safetensors a.safetensors x=F32:2:1,2
	safetensors b.safetensors y=F32:2:3,4
	safetensors c.safetensors z=F32:1:5
	phi-repack b.safetensors --set k=b --set only=b -o b2.safetensors
	phi-repack a.safetensors --set k=a -o a2.safetensors
	phi-repack --merge a2.safetensors b2.safetensors c.safetensors -o m.safetensors
	[ "$(values m.safetensors x)" = "1.0 2.0" ]
	[ "$(values m.safetensors y)" = "3.0 4.0" ]
	[ "$(values m.safetensors z)" = "5.0" ]
	phi-inspect --json m.safetensors | jq -e '.metadata.k == "a" and .metadata.only == "b"'
	phi-repack a.safetensors | phi-repack --merge - b.safetensors -o n.safetensors
	[ "$(values n.safetensors y)" = "3.0 4.0" ]
}

@test "a model taken apart is whole again" {
	for f in gguf safetensors; do
		phi-repack -q Phi-4-mini -o whole.$f
		phi-repack -q whole.$f --only '*.0.*' -o a.$f
		phi-repack -q whole.$f --exclude '*.0.*' -o b.$f
		phi-repack -q --merge a.$f b.$f whole.$f -o c.$f
		phi-diff --strict whole.$f c.$f
	done
	mkdir one two three
	for d in one two three; do cp Phi-4-mini/*.json $d; done
	phi-repack -q Phi-4-mini --only '*layers.0.*' -o one/ --force
	phi-repack -q Phi-4-mini --only '*layers.1.*' -o two/ --force
	phi-repack -q Phi-4-mini --exclude '*layers.*' -o three/ --force
	phi-repack --merge one two three -o again/
	phi-diff --strict Phi-4-mini again
}

@test "a tensor of two models" {
	safetensors a.safetensors x=F32:2:1,2
	safetensors b.safetensors x=F32:2:1,2 y=F32:1:1
	safetensors c.safetensors x=F32:2:1,3
	safetensors d.safetensors x=F32:1x2:1,2
	phi-repack --merge a.safetensors b.safetensors -o m.safetensors
	phi-inspect --json m.safetensors | jq -e '.tensors | length == 2'
	for f in c d; do
		fails 2 "phi-repack: $f.safetensors: tensor x: is in a model before it, with other values" \
			phi-repack --merge a.safetensors $f.safetensors -o n.safetensors
	done
	phi-repack -q Phi-4-mini -o e.gguf
	fails 2 "phi-repack: e.gguf: has gguf names, the model before it canonical ones" \
		phi-repack --merge a.safetensors e.gguf -o n.safetensors
	fails 2 "phi-repack: --merge: two models or more are needed (see --help)" \
		phi-repack --merge a.safetensors -o n.safetensors
	fails 2 "phi-repack: too many operands (see --help)" \
		phi-repack a.safetensors b.safetensors -o n.safetensors
	fails 2 "phi-repack: b.safetensors: input and output are the same" \
		phi-repack --force --merge a.safetensors b.safetensors -o b.safetensors
	[ ! -e n.safetensors ]
}

@test "W + s B A" {
	safetensors w.safetensors w.weight=F32:2x3:100,200,300,400,500,600 v=F32:1:7
	# B A = [[1, 2, 3], [2, 14, 6]]
	adapter l '"lora_alpha": 4'
	phi-repack w.safetensors --lora l -o a.safetensors
	[ "$(values a.safetensors w.weight)" = "102.0 204.0 306.0 404.0 528.0 612.0" ]
	[ "$(values a.safetensors v)" = "7.0" ]
	phi-repack w.safetensors --lora l:0.5 --lora l:-1 -o b.safetensors
	[ "$(values b.safetensors w.weight)" = "99.5 199.0 298.5 399.0 493.0 597.0" ]
	phi-repack w.safetensors | phi-repack --lora l -o c.safetensors
	cmp a.safetensors c.safetensors
	adapter r '"lora_alpha": 2.8284271247461903, "use_rslora": true'
	phi-repack w.safetensors --lora r -o d.safetensors
	cmp a.safetensors d.safetensors
	phi-repack w.safetensors --lora l:0 -o e.safetensors
	phi-diff w.safetensors e.safetensors
}

@test "adapters that are more than that are refused" {
	safetensors w.safetensors w.weight=F32:2x3:1,2,3,4,5,6
	safetensors u.safetensors u=F32:2x3:1,2,3,4,5,6
	safetensors n.safetensors w.weight=F32:3x2:1,2,3,4,5,6
	refused() { fails 2 "phi-repack: adapter l: $1" phi-repack w.safetensors --lora l -o a.safetensors; }
	adapter l '"lora_alpha": 4, "use_dora": true'
	refused "adapter_config.json: use_dora is set"
	adapter l '"lora_alpha": 4, "modules_to_save": ["head"]'
	refused "adapter_config.json: modules_to_save is set"
	adapter l '"r2": 4'
	refused "adapter_config.json: there is no lora_alpha"
	adapter l '"lora_alpha": 4'
	fails 2 "phi-repack: adapter l: tensor base_model.model.w.lora_A.weight: the model has no w.weight" \
		phi-repack u.safetensors --lora l -o a.safetensors
	fails 2 "phi-repack: adapter l: w.weight: its factors do not fit its shape" \
		phi-repack n.safetensors --lora l -o a.safetensors
	safetensors l/adapter_model.safetensors w.lora_A.weight=F32:1x3:1,1,1
	refused "w.weight: one of its two factors is missing"
	safetensors l/adapter_model.safetensors w.bias=F32:1:1
	refused "tensor w.bias: is no factor of a plain adapter"
	rm l/adapter_config.json
	refused "adapter_config.json: cannot be opened: No such file or directory"
	only_files l n.safetensors u.safetensors w.safetensors
}
