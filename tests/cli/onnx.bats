# ONNX. What onnx and onnxruntime make of real files: tests/peers/test_onnx_files.py, test_onnx_quantized.py.
load common

# model FILE PYTHON: the model that the expression makes, with fixtures/onnx_file.py as o
model()
{
	PYTHONPATH="$top/fixtures" python3 -B - "$@" <<'PY'
import struct, sys
import onnx_file as o
from wire import field
w = struct.pack("<4f", 1, 2, 3, 4)
open(sys.argv[1], "wb").write(eval(sys.argv[2]))
PY
}

shows() { phi-inspect --json --sum "$1" | jq -c '.tensors[]|[.name,.dtype,.shape,.sha256]'; }

@test "inputs, outputs, operator sets, metadata, initializers" {
	model a.onnx 'o.small(more=field(14, o.text(1, "author") + o.text(2, "me")))'
	phi-inspect --json a.onnx | jq -e '.format == "onnx" and .metadata["onnx.ir_version"] == 10 and
		.metadata["onnx.opset.ai.onnx"] == 21 and .metadata["onnx.input.x"] == "FLOAT [n, 2]" and
		.metadata["onnx.metadata.author"] == "me" and .tensors[0].name == "w" and .tensors[0].shape == [2, 2]'
}

@test "typed numbers are what raw ones are" {
	model raw.onnx 'o.small(o.tensor("w", o.FLOAT, [2, 2], w), o.tensor("i", o.INT64, [2], struct.pack("<2q", -1, 300)),
		o.tensor("h", o.FLOAT16, [2], struct.pack("<2e", 1, -2)), o.tensor("q", o.INT4, [2, 2], b"\x21\x83"))'
	model typed.onnx 'o.small(o.tensor("w", o.FLOAT, [2, 2], None, o.floats(4, [1, 2, 3, 4])),
		o.tensor("i", o.INT64, [2], None, field(7, 2**64 - 1) + field(7, 300)),
		o.tensor("h", o.FLOAT16, [2], None, o.packed(5, [15360, 49152])),
		o.tensor("q", o.INT4, [2, 2], None, o.packed(5, [0x21, 0x83])))'
	[ "$(shows raw.onnx)" = "$(shows typed.onnx)" ]
	phi-repack -q typed.onnx -o out.onnx
	[ "$(shows out.onnx)" = "$(shows raw.onnx)" ]
}

@test "the fixture: every type, typed and raw; weights wherever a graph may have them; quantized ones" {
	small=$top/fixtures/small/onnx
	[ "$(shows "$small/types.onnx" | wc -l)" -eq 43 ]
	shows "$small/types.onnx" | jq -s -e 'map({(.[0]): .[1:]}) | add | . as $all |
		[to_entries[] | select(.key | startswith("raw_")) | $all[.key[4:]] == .value] | length > 12 and all'
	[ "$(phi-inspect --json "$small/graph.onnx" | jq -r '[.tensors[].name] | sort | join(" ")')" = \
		"bias choose.else_branch/w choose.then_branch/w few.indices few.values k" ]
	phi-inspect --json "$small/external.onnx" | jq -e '.tensors | .[0].offset == .[1].offset and .[2].offset == 1539'
	phi-diff --brief "$small/quantized.onnx" "$small/meant.safetensors"
	for f in types graph external quantized; do
		[ -z "$(phi-inspect --check "$small/$f.onnx")" ]
	done
}

@test "what nobody knows comes back byte for byte" {
	model a.onnx 'o.small(nodes=[o.node("MatMul", ["x", "w"], ["y"]) + field(77, b"odd")], more=field(99, b"kept") + field(100, 7))'
	phi-repack a.onnx -o b.onnx
	cmp a.onnx b.onnx
	phi-repack a.onnx | phi-repack -f onnx | cmp - a.onnx
	phi-repack a.onnx -f onnx | cmp - a.onnx
}

@test "external data: read, shared, written" {
	python3 -c 'import sys; sys.stdout.buffer.write(bytes(range(256)) * 16)' >x.bin
	model a.onnx 'o.small(o.tensor("w", o.FLOAT, [1024], None, o.external("x.bin", 0, 4096)), o.tensor("v", o.FLOAT, [1024], None, o.external("x.bin", 0)))'
	[ "$(shows a.onnx | jq -r '.[3]' | sort -u)" = "$(sha256sum <x.bin | cut -d' ' -f1)" ]
	phi-repack a.onnx --external-data -o b.onnx
	cmp x.bin b.onnx.data
	phi-repack b.onnx -o c.onnx
	[ "$(shows c.onnx)" = "$(shows a.onnx)" ]
	[ "$(stat -c %s c.onnx)" -gt 8192 ]
	! phi-repack a.onnx --external-data -f onnx >p 2>err
	has "cannot be written to a pipe" <err
}

@test "2 GiB: what is larger goes beside the graph by itself" {
	truncate -s 2G w.bin
	planned() { # bytes of the weight -> sizes of the files
		model a.onnx "o.small(o.tensor('w', o.UINT8, [$1], None, o.external('w.bin', 0, $1)))"
		phi-repack -n --json a.onnx -o b.onnx | jq -c '[.files[].size]'
	}
	around=$(($(planned 2147480000 | tr -d '[]') - 2147480000))
	[ "$(planned $((2147483647 - around)))" = "[2147483647]" ]
	[ "$(planned $((2147483648 - around)) | jq length)" = 2 ]
	phi-repack a.onnx -f onnx >out 2>err || [ $? -eq 2 ]
	has "onnx makes 2 files and cannot be written to a pipe" <err
	[ ! -s out ]
}

@test "graphs in nodes, Constants, sparse initializers" {
	model a.onnx 'o.small(nodes=[o.node("If", ["c"], ["y"], [o.attribute("then_branch", 6, o.graph([], [o.tensor("v", o.FLOAT, [4], w)]), 5)], "branch"),
		o.node("Constant", [], ["k"], [o.attribute("value", 5, o.tensor(None, o.FLOAT, [64], bytes(256)), 4)])])'
	[ "$(phi-inspect --json a.onnx | jq -r '[.tensors[].name] | sort | join(" ")')" = "branch.then_branch/v k w" ]
}

@test "a quantized weight is one tensor" {
	model a.onnx 'o.model(o.graph([o.node("MatMulNBits", ["x", "w_Q4", "w_scales"], ["y"], [o.ints("K", 24), o.ints("N", 1),
		o.ints("bits", 4), o.ints("block_size", 16)], "", "com.microsoft")], [o.tensor("w_Q4", o.UINT8, [1, 2, 8], b"\x98" * 16),
		o.tensor("w_scales", o.FLOAT, [2], struct.pack("<2f", 1, 2))]))'
	phi-inspect --json a.onnx | jq -e '.tensors | length == 1 and .[0].name == "w" and .[0].dtype == "INT4 G16 F32 NBITS" and .[0].shape == [1, 24]'
	phi-quant -q -t f32 -f safetensors a.onnx -o a.safetensors
	[ "$(tail -c 96 a.safetensors | od -An -v -tf4 -w96 | xargs)" = "0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 2 0 2 0 2 0 2" ]
	phi-repack -q a.onnx -o b.onnx
	cmp a.onnx b.onnx
}

@test "--check: values nobody makes, twice made, cycles, shapes, versions" {
	good() { model a.onnx "$1"; run phi-inspect --check a.onnx; [ "$status" -eq 0 ]; }
	bad() { model a.onnx "$1"; run phi-inspect --check a.onnx; [ "$status" -eq 1 ] && [[ $output == *"$2"* ]] || { echo "$output"; return 1; }; }
	good 'o.small()'
	bad 'o.small(nodes=[o.node("MatMul", ["x", "u"], ["y"])])' "onnx.dangling: nothing makes the value u"
	bad 'o.small(nodes=[o.node("MatMul", ["x", "w"], ["y"])] * 2)' "onnx.twice: more than one makes the value y"
	bad 'o.small(nodes=[o.node("Add", ["x", "b"], ["a"], [], "n"), o.node("Neg", ["a"], ["b"]), o.node("Neg", ["x"], ["y"])])' "onnx.cycle: a cycle: what it needs depends on node n"
	bad 'o.small(nodes=[o.node("Neg", ["x"], ["z"])])' "onnx.output: nothing makes the output y"
	bad 'o.model(o.graph([], [o.tensor("w", o.FLOAT, [4], w)], [o.value("w", o.FLOAT, [2, 2])]))' "onnx.shape: "
	bad 'o.model(o.graph([]), ir=99)' "onnx.version: IR version 99"
	bad 'o.model(o.graph([]), [("", 99)])' "onnx.opset: operator set 99"
	model a.onnx 'o.small(nodes=[o.node("Neg", ["a"], ["y"]), o.node("Neg", ["x"], ["a"])])'
	phi-inspect --check a.onnx | has "info: onnx.order: "
}

@test "--scan: operators of others, external data that lead out" {
	model a.onnx 'o.small(nodes=[o.node("Run", ["x"], ["y"], [], "", "my.ops")])'
	run phi-inspect --scan a.onnx
	[[ $output == *"suspicious: onnx.domain: operators of my.ops (Run)"* ]]
	model b.onnx 'o.small(o.tensor("w", o.FLOAT, [4], None, o.external("../x.bin")))'
	run phi-inspect --scan b.onnx
	[ "$status" -eq 1 ]
	[[ $output == *"dangerous: onnx.external: "*"external data that lead out of the folder: ../x.bin"* ]]
	model c.onnx 'o.small() + b"\xff"'
	run phi-inspect --scan c.onnx
	[ "$status" -ne 0 ]
	[[ $output == *"unscannable: onnx.message: "* ]]
}

@test "--layout: every byte" {
	model a.onnx 'o.small()'
	[ "$(phi-inspect --layout a.onnx | awk 'NR > 1 { print $3, $4 }' | xargs)" = "graph - tensor w graph -" ]
	phi-inspect --layout --json a.onnx | jq -e '[.[].size] | add == '"$(stat -c %s a.onnx)"
}

@test "what ONNX cannot be made of" {
	safetensors a.safetensors w=F32:2:1,2
	fails 2 "phi-repack: the input has no graph of ONNX to put its weights into" phi-repack a.safetensors -o a.onnx
	model a.onnx 'o.small(o.tensor("w", o.FLOAT, [2, 2], w), o.tensor("v", o.FLOAT, [4], w))'
	fails 2 "phi-repack: tensor w is not there, but the graph needs it" phi-repack a.onnx --exclude w -o b.onnx
}

@test "--graph: operators and nodes" {
	model a.onnx 'o.small(nodes=[o.node("Neg", ["x"], ["a"], [], "first"), o.node("Neg", ["a"], ["b"]), o.node("MatMul", ["b", "w"], ["y"])])'
	phi-inspect --graph a.onnx | has '^  Neg  *-  *2$'
	[ "$(phi-inspect --graph --json a.onnx | jq -r '.[2] | "\(.operator) \(.inputs) \(.outputs)"')" = "MatMul b w y" ]
	safetensors s.safetensors w=F32:2:1,2
	fails 2 "phi-inspect: s.safetensors: safetensors has no graph to show" phi-inspect --graph s.safetensors
}

@test "w8a8 of a graph whose output is an input" {
	model a.onnx 'o.model(o.graph([o.node("MatMul", ["x", "w"], ["y"])], [o.tensor("w", o.FLOAT, [2, 2], w)], [o.value("x", o.FLOAT, [1, 2])],
		[o.value("y", o.FLOAT, [1, 2]), o.value("x", o.FLOAT, [1, 2])]))'
	echo '{"x": [-1, 1], "y": [-8, 8]}' >r.json
	phi-quant -t w8a8 --ranges r.json a.onnx -o b.onnx
	[ -z "$(phi-inspect --check b.onnx)" ]
	phi-inspect --graph b.onnx | has 'DequantizeLinear'
}

@test "weights in blocks have the types of those, whatever the shape of their scales; other packings do not" {
	dtype() { # SCALES [ZEROS [INPUTS]] -> the type of w, of 2 rows of 64 in blocks of 32
		local zeros='' more=''
		[ -z "$2" ] || zeros=", $2" more=', "w_zeros"'
		model a.onnx 'o.model(o.graph([o.node("MatMulNBits", ["x", "w_Q4", "w_scales"'"$more$3"'], ["y"], [o.ints("K", 64),
			o.ints("N", 2), o.ints("bits", 4), o.ints("block_size", 32)], "", "com.microsoft")],
			[o.tensor("w_Q4", o.UINT8, [2, 2, 16], bytes(range(64))), '"$1$zeros"']))'
		phi-inspect --json a.onnx | jq -r '[.tensors[] | .name + " " + .dtype + " " + (.shape | tostring)] | join(", ")'
	}
	scales='o.tensor("w_scales", o.FLOAT, [2, 2], struct.pack("<4f", 1, 2, 3, 4))'
	[ "$(dtype "$scales")" = "w ONNX4_G32_F32 [2,64]" ]
	[ "$(dtype "${scales/\[2, 2\]/[4]}")" = "w ONNX4_G32_F32 [2,64]" ]
	[ "$(dtype "$scales" 'o.tensor("w_zeros", o.UINT8, [2, 1], b"\x78\x9a")')" = "w ONNX4A_G32_F32 [2,64]" ]
	phi-repack a.onnx -f onnx | cmp - a.onnx
	[ "$(dtype "$scales" 'o.tensor("w_zeros", o.FLOAT, [2, 2], struct.pack("<4f", 7.5, 8, 8.5, 9))')" = "w ONNX4F_G32_F32 [2,64]" ]
	phi-repack a.onnx -f onnx | cmp - a.onnx
	# (code - zero point) * scale, the last block from (0 - 9) * 4 to (15 - 9) * 4
	phi-inspect --json --stats a.onnx | jq -e '.tensors[0] | .min == -36 and .max == 24'
	[ "$(dtype 'o.tensor("w_scales", o.BFLOAT16, [2, 2], bytes(8))')" = "w INT4 G32 BF16 NBITS [2,64]" ]
	[[ $(dtype "$scales" 'o.tensor("w_zeros", o.UINT8, [2, 1], b"\x78\x9a")' ', "g"') == *"w_Q4 U8 [2,2,16]"* ]]
}

@test "-t f16: the graph computes with it, but for what is kept" {
	two='o.small(o.tensor("w", o.FLOAT, [2, 2], struct.pack("<4f", 1, -2, 1e-8, 0)), nodes=[
		o.node("MatMul", ["x", "w"], ["a"], [], "mul"), o.node("Max", ["a", "w"], ["y"], [], "max")])'
	model a.onnx "$two"
	phi-quant -t f16 a.onnx -o h.onnx
	[ "$(phi-inspect --json h.onnx | jq -r '.tensors[0].dtype, .metadata["onnx.input.x"]' | xargs)" = "F16 FLOAT16 [n, 2]" ]
	[ "$(phi-inspect --graph --json h.onnx | jq -r '.[].operator' | xargs)" = "MatMul Cast Cast Max Cast" ]
	tail -c +1 h.onnx | od -An -v -tx1 | tr -d ' \n' | has 003c00c001000000
	phi-quant -t onnx:f16 a.onnx | phi-repack -o p.onnx
	cmp h.onnx p.onnx
	phi-quant -t f16 --keep-io a.onnx -o io.onnx
	[ "$(phi-inspect --json io.onnx | jq -r '.metadata["onnx.input.x"]')" = "FLOAT [n, 2]" ]
	phi-quant -t f16 --keep mul a.onnx -o k.onnx
	[ "$(phi-inspect --json k.onnx | jq -r '.tensors[0].dtype')" = F32 ]
	phi-quant -t f32 h.onnx -o back.onnx
	[ "$(phi-inspect --json back.onnx | jq -r '.tensors[0].dtype, .metadata["onnx.input.x"]' | xargs)" = "F32 FLOAT [n, 2]" ]
}

@test "-t f16: what is refused" {
	model big.onnx 'o.small(o.tensor("w", o.FLOAT, [2, 2], struct.pack("<4f", 1, 2, 3, 1e8)))'
	fails 2 "phi-quant: big.onnx: tensor w: element 3 is not finite, or too large for F16 (see --on-overflow)" \
		phi-quant -t f16 big.onnx -o b.onnx
	phi-quant -t f16 --on-overflow=clamp big.onnx -o b.onnx
	fails 2 "phi-quant: --keep-io is for ONNX, not safetensors" phi-quant -t f16 --keep-io big.onnx -o b.safetensors
	fails 2 "phi-quant: $top/fixtures/small/onnx/graph.onnx: the model has functions: they are to be inlined before its floats get another type" \
		phi-quant -t f16 "$top/fixtures/small/onnx/graph.onnx" -o c.onnx
}
