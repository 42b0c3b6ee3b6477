# Weights in blocks of any ONNX graph. What ONNX Runtime makes of the same: tests/peers/test_onnx_any.py.
load common

# model FILE PYTHON: the model that the expression makes. w(NAME, DIMS): an initializer of some numbers; g(NODES, WEIGHTS).
model()
{
	PYTHONPATH="$top/fixtures" python3 -B - "$@" <<'PY'
import struct, sys
import onnx_file as o
from wire import field
def numbers(n): return struct.pack("<%df" % n, *(((i * 2654435761 >> 7) % 2001 - 1000) / 1e4 for i in range(n)))
def w(name, dims): return o.tensor(name, o.FLOAT, dims, numbers(dims[0] * dims[1] if len(dims) > 1 else dims[0]))
def g(nodes, weights, k=64, n=32, opset=17):
    return o.model(o.graph(nodes, weights, [o.value("x", o.FLOAT, ["n", k])], [o.value("y", o.FLOAT, ["n", n])]), (("", opset),), 8)
open(sys.argv[1], "wb").write(eval(sys.argv[2]))
PY
}

layers() { model a.onnx 'g([o.node("MatMul", ["x", "W1"], ["h"], [], "/l1/MatMul"), o.node("MatMul", ["h", "W2"], ["y"], [], "/l2/MatMul")], [w("W1", [64, 96]), w("W2", [96, 32])])'; }
types() { phi-inspect --json "$1" | jq -r '[.tensors[]|.name + "=" + .dtype]|join("; ")'; }
ops() { phi-inspect --graph --json "$1" | jq -r '[.[].operator]|join(" ")'; }

@test "MatMul becomes MatMulNBits: one file, external data, a pipe" {
	layers
	phi-quant -t int4 a.onnx -o b.onnx
	[ "$(types b.onnx)" = "W1=ONNX4_G32_F32; W2=ONNX4_G32_F32" ]
	phi-quant -t onnx:int4 a.onnx | phi-repack -o c.onnx
	cmp b.onnx c.onnx
	phi-quant -t int4 -f onnx a.onnx | cmp - b.onnx
	for j in 1 8; do
		phi-quant -j$j -t int4 a.onnx --force -o c.onnx
		cmp b.onnx c.onnx
	done
	mkdir x
	phi-quant -t int4 --external-data a.onnx -o x/b.onnx
	[ "$(types x/b.onnx)" = "$(types b.onnx)" ]
	phi-diff b.onnx x/b.onnx
}

@test "a stream with other options gives what the direct way gives" {
	layers
	for options in "--asym" "--algo rtn" "--algo k_quant" "--asym --group 16 --accuracy-level 4" "--qdq" "--qdq --asym"; do
		phi-quant -q -t int8 $options a.onnx --force -o b.onnx
		phi-quant -q -t onnx:int8 $options a.onnx | phi-repack --force -o c.onnx
		cmp b.onnx c.onnx
	done
	phi-quant -t int4 --search a.onnx -o s.onnx
	[ "$(stat -c %s s.onnx)" -lt "$(stat -c %s b.onnx)" ]
}

@test "rules name weights or nodes; what stays is as it was" {
	layers
	phi-quant -t int4 --keep '/l2/*' --rule 'W1=ONNX8A_G32_F32' a.onnx -o b.onnx
	[ "$(types b.onnx)" = "W2=F32; W1=ONNX8A_G32_F32" ]
	phi-quant -t int4 --keep '*' a.onnx -o c.onnx
	[ "$(phi-inspect --json --sum c.onnx | jq -c '.tensors')" = "$(phi-inspect --json --sum a.onnx | jq -c '.tensors|map(.file="c.onnx")')" ] || phi-diff a.onnx c.onnx
	phi-quant -t int4 --keep W1 --explain a.onnx -o d.onnx -n >out 2>&1
	has "kept by --keep W1" <out
	has "recipe int4" <out
}

@test "Gemm, its C a bias or an Add; Gather where it is asked for" {
	model a.onnx 'g([o.node("Gemm", ["x", "A", "b"], ["h"], [o.ints("transB", 1)], "fc1"), o.node("Gemm", ["h", "B", "c"], ["y"], [], "fc2")],
		[w("A", [64, 64]), w("b", [64]), w("B", [64, 32]), w("c", [1, 32])])'
	phi-quant -t int4 a.onnx -o b.onnx
	[ "$(ops b.onnx)" = "MatMulNBits MatMulNBits Add" ]
	model e.onnx 'o.model(o.graph([o.node("Gather", ["E", "i"], ["y"], [], "emb")], [w("E", [100, 64])], [o.value("i", o.INT64, ["n"])], [o.value("y", o.FLOAT, ["n", 64])]), (("", 17),), 8)'
	phi-quant -t int4 e.onnx -o f.onnx
	[ "$(ops f.onnx)" = "Gather" ]
	phi-quant -t int4 --embedding-type onnx4_g32_f32 e.onnx --force -o f.onnx
	[ "$(ops f.onnx)" = "GatherBlockQuantized" ]
	phi-inspect --json f.onnx | jq -e '.tensors|length == 1 and .[0].shape == [100, 64]'
}

@test "a weight that others take, too, is there twice; one of two nodes is there once" {
	model a.onnx 'g([o.node("MatMul", ["x", "W"], ["a"], [], "m1"), o.node("MatMul", ["a", "W"], ["b"], [], "m2"), o.node("MatMul", ["b", "V"], ["c"], [], "m3"),
		o.node("ReduceSum", ["V"], ["s"]), o.node("Add", ["c", "s"], ["y"])], [w("W", [64, 64]), w("V", [64, 32])])'
	phi-quant -t int4 a.onnx -o b.onnx
	[ "$(ops b.onnx)" = "MatMulNBits MatMulNBits MatMulNBits ReduceSum Add" ]
	[ "$(phi-inspect --json b.onnx | jq '.tensors|length')" = 3 ]
	phi-quant -t onnx:int4 a.onnx | phi-repack -f onnx | cmp - b.onnx
	phi-quant -t int4 --keep V a.onnx --force -o c.onnx
	phi-quant -t onnx:int4 --keep V a.onnx | phi-repack -f onnx | cmp - c.onnx
}

@test "bodies of If, Constants, and what is quantized already" {
	model a.onnx 'g([o.node("If", ["c"], ["y"], [o.attribute("then_branch", 6, o.graph([o.node("MatMul", ["x", "W"], ["p"], [], "t")], [], [], [o.value("p", o.FLOAT, ["n", 32])]), 5),
		o.attribute("else_branch", 6, o.graph([o.node("Constant", [], ["K"], [o.attribute("value", 5, w("", [64, 32]), 4)]), o.node("MatMul", ["x", "K"], ["q"], [], "e")], [], [], [o.value("q", o.FLOAT, ["n", 32])]), 5)], "if")],
		[w("W", [64, 32]), o.tensor("c", o.BOOL, [], b"\1")])'
	phi-quant -t int4 a.onnx -o b.onnx
	[ "$(phi-inspect --json b.onnx | jq '[.tensors[]|select(.dtype == "ONNX4_G32_F32" or .dtype == "U8")]|length')" -ge 2 ]
	phi-quant -t int8 b.onnx -o c.onnx
	[ "$(phi-inspect --json --sum b.onnx | jq -c '[.tensors[]|.sha256]')" = "$(phi-inspect --json --sum c.onnx | jq -c '[.tensors[]|.sha256]')" ]
}

@test "--qdq: DequantizeLinear of blocks, a later version" {
	layers
	phi-quant -t int4 --qdq a.onnx -o b.onnx 2>err
	has "raised from 17 to 21" <err
	[ "$(ops b.onnx)" = "DequantizeLinear MatMul DequantizeLinear MatMul" ]
	phi-inspect --json b.onnx | jq -e '.metadata["onnx.opset.ai.onnx"] == 21 and .metadata["onnx.ir_version"] == 10'
	! phi-quant -q -t int4 --qdq -f onnx a.onnx >p 2>err
	has "cannot be written" <err
}

@test "what cannot be is refused in a line" {
	layers
	refused() { run phi-quant "$@" a.onnx --force -o b.onnx; [ "$status" -eq 2 ] && [[ ${lines[-1]} == *"$why"* ]] || { echo "$output"; return 1; }; }
	why="where the graph of onnx computes with F32" refused -t int4 --rule W1=q4_0
	why="its scales must be that" refused --rule W1=onnx4_g32_f16
	why="no recipe for ONNX is called q4_k_m" refused -t q4_k_m
	why="no codes of 2 bits in blocks" refused -q -t int2 --qdq
	why="--lossless, --keep-codes, --search and --algo exclude each other" refused -t int4 --algo rtn --search
	why="blocks have 16, 32, 64, 128 or 256 weights" refused -t int4 --group 48
}

@test "phi-diff sees the same weight where one of two files has it transposed" {
	model a.onnx 'g([o.node("MatMul", ["x", "W1"], ["h"], [], "/l1"), o.node("MatMul", ["h", "W2"], ["y"], [], "/l2")], [w("W1", [64, 64]), w("W2", [64, 32])])'
	phi-quant -t int8 a.onnx -o b.onnx
	phi-diff --tolerance sqnr=40 a.onnx b.onnx
	phi-diff --tolerance sqnr=40 b.onnx a.onnx
	run -1 phi-diff --tolerance sqnr=60 a.onnx b.onnx
	[[ "$output" != *"of another shape"* ]]
}

@test "a graph without a weight to quantize is written, with a word" {
	model a.onnx 'g([o.node("Mul", ["x", "W"], ["y"], [], "/mul")], [w("W", [64])], 64, 64)'
	run phi-quant -t int4 a.onnx -o b.onnx
	[ "$status" = 0 ]
	[ "$output" = "phi-quant: warning: no weight is quantized by recipe int4 (see --explain)" ]
}

@test "--template puts weights into a graph by name, and says what is left over" {
	model a.onnx 'g([o.node("MatMul", ["x", "W1"], ["h"], [], "/l1"), o.node("MatMul", ["h", "W2"], ["y"], [], "/l2")], [w("W1", [64, 96]), w("W2", [96, 32])])'
	phi-repack --only W1 a.onnx -f safetensors -o w.safetensors
	run phi-repack --template a.onnx w.safetensors -o b.onnx
	[ "$status" = 0 ]
	[[ "$output" == *"1 of the template's tensors stay, as there are none of their names (the first: W2)"* ]]
	cmp a.onnx b.onnx
	phi-repack -q --template a.onnx w.safetensors | phi-repack -f onnx -o c.onnx
	cmp a.onnx c.onnx
	phi-repack --rename 's/W1/V/' w.safetensors -f safetensors -o v.safetensors
	fails 2 "phi-repack: no tensor has the name of one in the template" phi-repack --template a.onnx v.safetensors -o d.onnx
	fails 2 "phi-repack: w.safetensors: not a model with a graph, as a template is" \
		phi-repack --template w.safetensors a.onnx -o d.onnx
}
