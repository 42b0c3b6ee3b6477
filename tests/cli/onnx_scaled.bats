# Weights of ONNX models with one scale: int8_dynamic, w8a8, w8a16. That the models are onnxruntime's:
# tests/peers/test_onnx_int8.py.
load common

# model FILE [NAME=VALUE]...: x [1, 4] times w [4, 6] plus b, and the rows 1 and 0 of the table t [2, 3]; w holds a NaN
# with nan=1, the node has a twin in an If with within=1.
model()
{
	PYTHONPATH=$top/fixtures python3 - "$@" <<'PY'
import struct, sys
import onnx_file as o
asked = dict(a.split("=") for a in sys.argv[2:])
w = [(k * 37 % 61 - 30) / 16 for k in range(24)]
if "nan" in asked:
    w[5] = float("nan")
raw = lambda v: struct.pack("<%df" % len(v), *v)
nodes = [o.node("MatMul", ["x", "w"], ["p"], name="first"), o.node("Add", ["p", "b"], ["s"], name="sum"),
         o.node("Relu", ["s"], ["y"], name="cut"), o.node("Gather", ["t", "i"], ["z"], name="look")]
if "within" in asked:
    inner = o.graph([o.node("MatMul", ["x", "w"], ["v"])], outputs=[o.value("v", o.FLOAT, [1, 6])])
    nodes.append(o.node("If", ["c"], ["u"], [o.attribute("then_branch", 6, inner, 5), o.attribute("else_branch", 6, inner, 5)]))
inits = [o.tensor("w", o.FLOAT, [4, 6], raw(w)), o.tensor("b", o.FLOAT, [6], raw([0.5, -1, 2, 0, 1, 3])),
         o.tensor("t", o.FLOAT, [2, 3], raw([1, 2, 3, -4, 5, 6])), o.tensor("i", o.INT64, [2], struct.pack("<2q", 1, 0))]
g = o.graph(nodes, inits, [o.value("x", o.FLOAT, [1, 4]), o.value("c", o.BOOL, [])],
            [o.value("y", o.FLOAT, [1, 6]), o.value("z", o.FLOAT, [2, 3])])
open(sys.argv[1], "wb").write(o.model(g, (("", int(asked.get("opset", 21))),)))
PY
}

ranges()
{
	echo '{"x": [-1, 1], "p": [-4, 5], "s": [-4, 6], "y": [0, 6]}' >r.json
}

ops()
{
	phi-inspect --graph --json "$1" | jq -r '[.[].operator] | join(" ")'
}

@test "int8_dynamic: codes, scales and nodes" {
	model a.onnx
	phi-quant -t int8_dynamic a.onnx -o b.onnx
	phi-inspect --json b.onnx | jq -e '.tensors[] | select(.name == "w") | .shape == [4, 6] and .dtype == "INT8 TENSOR F32 ZP QDQ"'
	[ "$(ops b.onnx)" = "DynamicQuantizeLinear MatMulInteger Cast Mul Mul Add Relu Gather DequantizeLinear" ]
	phi-inspect --check b.onnx
	phi-quant -t int8_dynamic --per-channel a.onnx -o c.onnx
	! cmp -s b.onnx c.onnx
	phi-quant -t int8_dynamic --reduce-range a.onnx -o d.onnx
	! cmp -s b.onnx d.onnx
	phi-diff -q --tolerance sqnr=20 b.onnx a.onnx --only w
}

@test "the same from a pipe, at any -j, beside the graph, into a pipe" {
	model a.onnx
	phi-quant -t int8_dynamic a.onnx -o b.onnx
	phi-quant -t int8_dynamic -j1 -o c.onnx <a.onnx
	cmp b.onnx c.onnx
	cat a.onnx | phi-quant -t int8_dynamic -j8 -f onnx | cmp - b.onnx
	phi-repack a.onnx | phi-quant -t int8_dynamic -o d.onnx
	cmp b.onnx d.onnx
	phi-quant -t int8_dynamic --external-data a.onnx -o e.onnx
	phi-diff -q e.onnx b.onnx
}

@test "-n reads no weights" {
	model a.onnx nan=1
	phi-quant -n -t int8_dynamic -f onnx a.onnx | grep -q ' I8 '
	run phi-quant -t int8_dynamic a.onnx -o b.onnx
	[ "$status" = 2 ]
	[ "$output" = "phi-quant: a.onnx: tensor w: element 5 is not finite: it has no scale (see --keep)" ]
	[ ! -e b.onnx ]
	phi-quant -q -t int8_dynamic --keep w a.onnx -o b.onnx
	[ "$(ops b.onnx)" = "MatMul Add Relu Gather DequantizeLinear" ]
}

@test "rules match weights and nodes" {
	model a.onnx
	phi-quant -t int8_dynamic --keep first a.onnx -o b.onnx
	[ "$(ops b.onnx)" = "MatMul Add Relu Gather DequantizeLinear" ]
	phi-quant --force -t int8_dynamic --keep t a.onnx -o b.onnx
	[ "$(ops b.onnx)" = "DynamicQuantizeLinear MatMulInteger Cast Mul Mul Add Relu Gather" ]
	phi-quant --force -t int8_dynamic --keep '*' a.onnx -o b.onnx
	[ "$(ops b.onnx)" = "MatMul Add Relu Gather" ]
}

@test "what a graph within a node takes stays as it is, too" {
	model a.onnx within=1
	phi-quant -t int8_dynamic a.onnx -o b.onnx
	phi-inspect --json b.onnx | jq -e '[.tensors[].dtype] | contains(["F32"])'
	phi-inspect --check b.onnx
	ranges
	phi-quant -t w8a8 --ranges r.json a.onnx -o c.onnx
	[ "$(ops c.onnx | grep -o QuantizeLinear | wc -l)" -gt 2 ]
	phi-inspect --check c.onnx
}

@test "w8a8: pairs where there are ranges" {
	model a.onnx
	ranges
	phi-quant -t w8a8 --ranges r.json a.onnx -o b.onnx
	# w, b and t; x and p; y, of which the Relu's range is; z, like t. The Relu is gone.
	[ "$(ops b.onnx | tr ' ' '\n' | sort | uniq -c | tr -s '\n ' ' ')" = " 1 Add 7 DequantizeLinear 1 Gather 1 MatMul 4 QuantizeLinear " ]
	phi-inspect --check b.onnx
	cat a.onnx | phi-quant -t w8a8 --ranges r.json -j1 -f onnx | cmp - b.onnx
	phi-quant -t w8a16 --ranges r.json a.onnx -o c.onnx
	! cmp -s b.onnx c.onnx
	phi-quant -t w8a8 --for qnn --ranges r.json a.onnx -o d.onnx
	phi-quant -t w8a8 --keep w --ranges r.json a.onnx -o e.onnx
	[ "$(ops e.onnx | grep -o DequantizeLinear | wc -l)" = 6 ]
	phi-inspect --check e.onnx
}

@test "16 bits before operator set 21 are com.microsoft's" {
	model a.onnx opset=13
	ranges
	phi-quant -t w8a16 --ranges r.json a.onnx -o b.onnx
	phi-inspect --json b.onnx | jq -e '.metadata["onnx.opset.com.microsoft"] == 1'
	phi-quant -t w8a8 --ranges r.json a.onnx -o c.onnx
	phi-inspect --json c.onnx | jq -e '.metadata["onnx.opset.com.microsoft"] == null'
}

# refused MESSAGE ARGUMENTS: phi-quant fails so.
refused()
{
	local want=$1
	shift
	run phi-quant "$@" -o out.onnx
	echo "$output"
	[ "$status" = 2 ]
	[[ $output == *"$want"* ]]
	[ ! -e out.onnx ]
}

@test "refusals" {
	model a.onnx
	model old.onnx opset=9
	ranges
	refused "operator set 9" -t int8_dynamic old.onnx
	refused "operator set 9" -t w8a8 --ranges r.json old.onnx
	refused "say by --ranges FILE" -t w8a8 a.onnx
	refused "--ranges is for w8a8 and w8a16" -t int8_dynamic --ranges r.json a.onnx
	refused "has no graph of ONNX" -f onnx -t int8_dynamic Phi-4-mini
	run phi-quant -f onnx -t int8_dynamic Phi-4-mini -o out/
	[ "$status" = 2 ]
	[[ $output == *"int8_dynamic is made of an ONNX model: make that first"* ]]
	refused "are for ONNX, not gguf" -f gguf -t q8_0 --per-channel Phi-4-mini
	run phi-quant -t onnx:int8_dynamic a.onnx
	[[ $output == *"int8_dynamic goes into an ONNX file at once, not into a stream"* ]]
	refused "--report does not measure" -t int8_dynamic --report a.onnx
	echo '{"nobody": [0, 1]}' >r.json
	refused "names nothing that the graph computes" -t w8a8 --ranges r.json a.onnx
	for text in '[1]' '{"x": [1]}' '{"x": [2, 1]}' '{"x": ["a", 1]}' '{"x": [0, 1e39]}' '{"x": [0, 1], "x": [0, 1]}' '{"x": [0, 1]' ''; do
		printf %s "$text" >r.json
		refused "r.json: " -t w8a8 --ranges r.json a.onnx
	done
}


@test "a quantized graph is not quantized again" {
	model a.onnx
	ranges
	phi-quant -t w8a8 --ranges r.json a.onnx -o b.onnx
	refused "b.onnx: tensor w: INT8 TENSOR F32 ZP QDQ, quantized already" -t w8a8 --ranges r.json b.onnx
	refused "b.onnx: tensor w: INT8 TENSOR F32 ZP QDQ, quantized already" -t int8_dynamic b.onnx
	phi-quant -q -t w8a8 --keep '*' --ranges r.json a.onnx -o c.onnx
	refused "the graph has a value p_scale already" -t w8a8 --ranges r.json c.onnx
}
