# The main job and what belongs to it: pipes against direct runs, choices of types, plans.
load common

@test "the main job: a pipe and a direct run give the same bytes" {
	phi-repack Phi-4-mini | phi-quant -t q8_0 | phi-repack -o piped.gguf
	phi-quant -t q8_0 Phi-4-mini -o direct.gguf
	cmp piped.gguf direct.gguf
	[ "$(phi-inspect --json piped.gguf | jq -r '.metadata["general.architecture"]')" = phi3 ]
	run phi-diff Phi-4-mini piped.gguf
	[ "$status" -eq 1 ]
	phi-diff --tolerance sqnr=40 Phi-4-mini piped.gguf
	only_files piped.gguf direct.gguf
}

@test "every recipe, every arrangement of stages" {
	for t in f32 f16 bf16 q8_0; do
		phi-quant -t $t Phi-4-mini -o want.gguf
		phi-repack Phi-4-mini | phi-quant -t $t | phi-repack -o 1.gguf
		phi-quant -t $t Phi-4-mini | phi-repack -o 2.gguf
		phi-repack Phi-4-mini | phi-quant -t $t -o 3.gguf
		phi-repack Phi-4-mini | phi-quant -t gguf:$t | phi-repack | phi-repack -o 4.gguf
		phi-quant -t $t -f gguf Phi-4-mini >5.gguf
		phi-repack -z Phi-4-mini | phi-quant -z -t ${t^^} | phi-repack -o 6.gguf
		phi-quant -t $t Phi-4-mini | phi-repack -f gguf | phi-repack -o 7.gguf
		for i in 1 2 3 4 5 6 7; do
			cmp want.gguf $i.gguf || { echo "$t, way $i"; return 1; }
		done
		rm ./*.gguf
	done
}

@test "rules are the same in a pipe" {
	rules=(--rule '*o_proj*=F32' --rule '*norm*=F16' --keep '*down_proj*')
	phi-quant -t f16 "${rules[@]}" Phi-4-mini -o want.gguf
	phi-quant -t f16 "${rules[@]}" Phi-4-mini | phi-repack -o a.gguf
	cmp want.gguf a.gguf
	phi-quant -t q8_0 "${rules[@]}" Phi-4-mini -o want8.gguf
	phi-repack Phi-4-mini | phi-quant -t q8_0 "${rules[@]}" | phi-repack -o b.gguf
	cmp want8.gguf b.gguf
	# Rules alone: nothing else changes.
	phi-quant "${rules[@]}" Phi-4-mini -o wantr.gguf
	phi-quant "${rules[@]}" Phi-4-mini | phi-repack -z | phi-repack -o c.gguf
	cmp wantr.gguf c.gguf
	[ "$(phi-inspect --json wantr.gguf | jq -c '[.tensors[].dtype]|group_by(.)|map([.[0],length])')" = \
		'[["BF16",7],["F32",9]]' ]
}

@test "a model of no family, a sharded one, a GGUF: the same in a pipe" {
	safetensors plain.safetensors 'a.weight=F32:4x64:'"$(seq -s, 256)" 'b.bias=F32:3:7,8,9' 'i=I32:2:1,2'
	python3 - <<'PY'
import json, os, shutil, struct
raw = open("Phi-4-mini/model.safetensors", "rb").read()
n = struct.unpack("<Q", raw[:8])[0]
header = json.loads(raw[8:8 + n])
header.pop("__metadata__", None)
os.mkdir("sharded")
for f in os.listdir("Phi-4-mini"):
    if f.endswith(".json"):
        shutil.copy("Phi-4-mini/" + f, "sharded")
names, where = list(header), {}
# Every other tensor: the order of arrival is not that of the names.
for k in 0, 1, 2:
    file, out, data = "model-%05d-of-00003.safetensors" % (k + 1), {}, b""
    for name in names[k::3]:
        t = header[name]
        bytes_ = raw[8 + n + t["data_offsets"][0]:8 + n + t["data_offsets"][1]]
        out[name] = dict(t, data_offsets=[len(data), len(data) + len(bytes_)])
        data += bytes_
        where[name] = file
    text = json.dumps(out).encode()
    open("sharded/" + file, "wb").write(struct.pack("<Q", len(text)) + text + data)
json.dump({"metadata": {}, "weight_map": where}, open("sharded/model.safetensors.index.json", "w"))
PY
	phi-diff --brief sharded Phi-4-mini
	phi-quant -q -t bf16 Phi-4-mini -o from.gguf
	for in in plain.safetensors sharded from.gguf; do
		for t in f16 bf16 q8_0; do
			phi-quant -q -t $t $in -o want.gguf
			phi-repack $in | phi-quant -q -t $t | phi-repack -q -o a.gguf
			cmp want.gguf a.gguf || { echo "$in $t"; return 1; }
			phi-quant -q -t $t $in | phi-repack -q -o b.gguf
			cmp want.gguf b.gguf || { echo "$in $t, two stages"; return 1; }
			rm want.gguf a.gguf b.gguf
		done
		[ $in = from.gguf ] && continue
		phi-quant -q -t f16 $in -o want.safetensors
		phi-repack $in | phi-quant -q -t f16 | phi-repack -q -o a.safetensors
		cmp want.safetensors a.safetensors
		rm want.safetensors a.safetensors
	done
}

@test "what arrives too early is held within --memory, else spooled" {
	# A stream of a GGUF's order to a safetensors file's: the embedding comes first in both, norms do not.
	phi-repack -q -f gguf Phi-4-mini >a.gguf
	phi-repack -q -f safetensors a.gguf >want
	for size in 1K 300K 64M; do
		cat a.gguf | phi-repack -q -f safetensors --memory $size | cmp - want
	done
	cat a.gguf | phi-repack -q -f safetensors --no-spool | cmp - want
	run bash -c 'cat a.gguf | phi-repack -q -f safetensors --memory 1K --no-spool >out'
	[ "$status" -eq 2 ]
	[[ "$output" == *"--no-spool"* ]]
	only_files a.gguf want out
}

@test "pure, rule, keep: the last that matches wins; explain says why" {
	types() { phi-inspect --json "$1" | jq -r '.tensors[]|"\(.name) \(.dtype)"'; }
	phi-quant --pure -t q4_0 --rule '*attn_qkv*=Q8_0' --keep '*.ffn_down.*' --rule 'blk.1.ffn_down.*=F16' \
		Phi-4-mini -o a.gguf
	types a.gguf >t
	grep -qx 'blk.0.attn_qkv.weight Q8_0' t
	grep -qx 'blk.0.ffn_down.weight BF16' t
	grep -qx 'blk.1.ffn_down.weight F16' t
	grep -qx 'blk.1.attn_output.weight Q4_0' t
	grep -qx 'blk.0.attn_norm.weight F32' t
	phi-quant -n --explain -t q8_0 --keep '*.ffn_down.*' Phi-4-mini -o b.gguf >plan
	grep -q 'blk.0.ffn_down.weight .*--keep' plan || has 'blk.0.ffn_down.weight .*\*\.ffn_down\.\*' plan
	[ ! -e b.gguf ]
	phi-quant --explain -t q8_0 Phi-4-mini -o b.gguf 2>why
	grep -q 'blk.0.attn_norm.weight .*attn_norm .*BF16 .*F32' why
}

@test "the plan" {
	phi-quant -n -t q8_0 Phi-4-mini -o out.gguf | sed 's/memory [0-9]* KiB/memory 0 KiB/' | golden plan.text
	phi-quant -n --json -t q8_0 Phi-4-mini -o out.gguf >plan.json
	# What is held is a matter of the library's own structs.
	sed 's/"memory": [0-9]*/"memory": 0/' plan.json | golden plan.json
	[ "$(jq .memory plan.json)" -gt 0 ] && [ "$(jq .memory plan.json)" -lt 16000000 ]
	[ ! -e out.gguf ]
	phi-quant -t q8_0 Phi-4-mini -o out.gguf
	[ "$(jq .total plan.json)" -eq "$(stat -c %s out.gguf)" ]
	# Offsets of the plan are those of the file.
	diff <(jq -c '.items[]|select(.dtype)|[.name,.dtype,.offset]' plan.json) \
		<(phi-inspect --json out.gguf | jq -c '.tensors[]|[.name,.dtype,.offset]')
}

@test "only and exclude in repack and quant" {
	phi-repack --only '*layers.0.*' --exclude '*norm*' Phi-4-mini/model.safetensors -o a.safetensors
	[ "$(phi-inspect --json a.safetensors | jq '.tensors|length')" -eq 4 ]
	phi-quant -t q8_0 --only 'blk.1.*' Phi-4-mini -o b.gguf
	phi-quant -t q8_0 --only 'model.layers.1.*' Phi-4-mini | phi-repack -o c.gguf
	cmp b.gguf c.gguf
	fails 2 "phi-repack: --only and --exclude leave no tensor" \
		phi-repack --only x -o d.safetensors Phi-4-mini/model.safetensors
	only_files a.safetensors b.gguf c.gguf
}

@test "the name is the folder's unless --name says another" {
	name() { phi-inspect --json "$1" | jq -r '.metadata["general.name"]'; }
	phi-repack Phi-4-mini -o a.gguf
	[ "$(name a.gguf)" = "Phi 4 Mini" ]
	phi-repack Phi-4-mini | phi-repack -o b.gguf
	cmp a.gguf b.gguf
	phi-repack --name Other-Name Phi-4-mini -o c.gguf
	[ "$(name c.gguf)" = "Other Name" ]
	phi-repack --name Other-Name Phi-4-mini | phi-repack -o d.gguf
	cmp c.gguf d.gguf
	ln -s Phi-4-mini linked
	phi-repack linked -o e.gguf
	cmp a.gguf e.gguf
}

@test "the stream is a folder for tar" {
	phi-repack Phi-4-mini | tar -xf - --one-top-level=out
	cmp out/config.json Phi-4-mini/config.json
	cmp out/model.safetensors Phi-4-mini/model.safetensors
	phi-diff --strict Phi-4-mini out
	phi-repack -o s.tar -f stream Phi-4-mini
	phi-repack Phi-4-mini | cmp - s.tar
}

@test "unwelcome requests" {
	fails 2 "phi-quant: there is no target foo (see --help)" phi-quant -t foo:q8_0 -f stream -o a.tar Phi-4-mini
	run phi-quant -t q9_9 Phi-4-mini -o a.gguf
	[ "$status" -eq 2 ]
	[ "${#lines[@]}" -eq 1 ]
	run phi-quant -t q8_0 Phi-4-mini -o a.safetensors
	[ "$status" -eq 2 ]
	only_files
}

@test "a value that does not fit" {
	safetensors a.safetensors 'w=F32:2x2:1,2,3,1e30'
	run phi-quant -t f16 a.safetensors -o b.safetensors
	[ "$status" -eq 2 ]
	[[ "$output" == *"tensor w"*3* ]]
	only_files a.safetensors
	phi-quant -t f16 --on-overflow clamp a.safetensors -o c.safetensors
	phi-quant -t f16 --on-overflow keep a.safetensors -o k.safetensors
	[ "$(tail -c 2 c.safetensors | od -An -tx1)" = " ff 7b" ]
	[ "$(tail -c 2 k.safetensors | od -An -tx1)" = " 00 7c" ]
}
