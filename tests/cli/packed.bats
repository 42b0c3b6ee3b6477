#!/usr/bin/env bats
# Packed weights through the four tools.

load common

# gptq FILE: a 4-bit GPTQ weight of 32 x 32 in one group; scales 0.5, zeros 8, value(i, o) = (i + o) mod 16
gptq()
{
	python3 - "$1" <<'PY'
import json, struct, sys
words = [[sum(((8 * w + k + o) % 16) << (4 * k) for k in range(8)) for o in range(32)] for w in range(4)]
parts = {"__metadata__": None,
         "m.g_idx": ("I32", [32], struct.pack("<32i", *[0] * 32)),
         "m.qweight": ("I32", [4, 32], struct.pack("<128I", *sum(words, []))),
         "m.qzeros": ("I32", [1, 4], struct.pack("<4I", *[0x77777777] * 4)),
         "m.scales": ("F16", [1, 32], struct.pack("<32e", *[0.5] * 32))}
header, data = {}, b""
for name, part in parts.items():
    if part is None:
        header[name] = {"format": "pt"}
        continue
    header[name] = {"dtype": part[0], "shape": part[1], "data_offsets": [len(data), len(data) + len(part[2])]}
    data += part[2]
text = json.dumps(header, separators=(",", ":")).encode()
text += b" " * (-len(text) % 8)
open(sys.argv[1], "wb").write(struct.pack("<Q", len(text)) + text + data)
PY
}

# plain FILE: the same as floats
plain()
{
	safetensors "$1" "m.weight=F32:32x32:$(python3 -c '
print(",".join(str(((i + o) % 16 - 8) * 0.5) for o in range(32) for i in range(32)))')"
}

@test "inspect shows one tensor" {
	gptq p.safetensors
	[ "$(phi-inspect --json p.safetensors | jq -r '.tensors[] | "\(.name) \(.dtype) \(.shape)"')" = \
		"m.weight INT4 CHANNEL F16 ZP GPTQ [32,32]" ]
	phi-inspect --sum p.safetensors | grep -Eq '[0-9a-f]{64}'
}

@test "it is what it was before it was packed, decoded or not, from a file and from a pipe" {
	gptq p.safetensors
	plain f.safetensors
	phi-diff f.safetensors p.safetensors
	phi-diff f.safetensors - <p.safetensors
	cat p.safetensors | phi-diff f.safetensors -
	phi-quant -t f16 p.safetensors -o 16.safetensors
	phi-diff f.safetensors 16.safetensors
	cat p.safetensors | phi-quant -t f32 -f safetensors | phi-diff f.safetensors -
	phi-repack p.safetensors | phi-quant -t f32 | phi-diff f.safetensors -
	phi-repack -q p.safetensors -o p.gguf
	phi-diff f.safetensors p.gguf
	phi-quant -q -t q8_0 p.safetensors -o a.gguf
	phi-quant -q -t q8_0 f.safetensors -o b.gguf
	phi-diff a.gguf b.gguf
	for j in 1 8; do
		phi-quant -j$j -t f16 p.safetensors -o j$j.safetensors
		cmp j$j.safetensors 16.safetensors
	done
}

@test "repack copies the members" {
	gptq p.safetensors
	phi-repack p.safetensors -o q.safetensors
	cmp p.safetensors q.safetensors
	phi-repack p.safetensors | phi-repack -o r.safetensors
	phi-diff p.safetensors r.safetensors
}

@test "a folder that is unpacked no longer says that it is packed" {
	mkdir in
	gptq in/model.safetensors
	printf '{\n  "a": 1e-05,\n  "quantization_config": {"bits": 4, "x": ["}", {}]},\n  "b": "\\"}"\n}\n' >in/config.json
	phi-quant -t f16 in -o out/
	[ "$(cat out/config.json)" = "$(printf '{\n  "a": 1e-05,\n  "b": "\\"}"\n}\n')" ]
	phi-repack in -o copy/
	cmp in/config.json copy/config.json
	cmp in/model.safetensors copy/model.safetensors
}

@test "what cannot be understood stays, with a warning" {
	safetensors p.safetensors "m.qweight=I32:4x1:1,2,3,4"
	phi-inspect --json p.safetensors >out 2>err
	[ "$(jq -r '.tensors[0].name' out)" = m.qweight ]
	[ "$(wc -l <err)" = 1 ]
	grep -q "warning: .*m.qweight: there is no scales beside it" err
}
