# .npy and .npz. What NumPy itself makes of them: tests/peers/test_numpy.py.
load common

small="$BATS_TEST_DIRNAME/../../fixtures/small/numpy"

@test "what is in an array, and in an archive" {
	phi-inspect --json "$small/fortran.npy" | jq -e '.format == "numpy" and .metadata == {} and
		(.tensors | length == 1 and .[0].name == "fortran" and .[0].shape == [2, 3, 4] and .[0].offset == 128)'
	[ "$(phi-inspect --json "$small/types.npz" | jq -r '[.tensors[].dtype] | join(" ")')" = \
		"F16 F32 F64 I8 I16 I32 I64 U8 U16 U32 U64 BOOL C64 C128 F32 F32" ]
	phi-inspect --json "$small/types.npz" | jq -e '.tensors[14].name == "layers/0/scalar" and .tensors[14].shape == []'
	[ "$(phi-inspect --json "$small/bfloat16.npy" | jq -r '.tensors[0].dtype')" = BF16 ]
	phi-inspect --json "$small/odd.npy" | jq -e '.tensors[0].shape == [2, 3]'
}

@test "byte order, order of elements and compression change no weight" {
	one() { phi-inspect --sum --json "$1" | jq -r '.tensors[0].sha256'; }
	python3 - <<'PY'
import struct
open("rows", "wb").write(struct.pack("<24f", *[i / 2 - 8 for i in range(24)]))
open("12", "wb").write(struct.pack("<12f", *[i / 2 - 8 for i in range(12)]))
PY
	[ "$(one "$small/fortran.npy")" = "$(sha256sum <rows | cut -d' ' -f1)" ]
	[ "$(one "$small/plain.npy")" = "$(sha256sum <rows | cut -d' ' -f1)" ]
	[ "$(one "$small/big-endian.npy")" = "$(sha256sum <12 | cut -d' ' -f1)" ]
	phi-repack "$small/packed.npz" -o a.npz
	phi-diff --brief a.npz "$small/packed.npz"
	fails 2 "phi-inspect: $small/packed.npz: w.npy: compressed arrays: the input must be spooled to a temporary file, which --no-spool forbids" \
		phi-inspect --no-spool "$small/packed.npz"
}

@test "an archive of one's own making comes back byte for byte" {
	phi-repack "$small/types.npz" -o a.npz
	cmp a.npz "$small/types.npz"
	phi-repack "$small/plain.npy" -o plain.npy
	cmp plain.npy "$small/plain.npy"
	phi-repack "$small/plain.npy" -f numpy | cmp - "$small/plain.npy"
	cat "$small/plain.npy" | phi-repack --name w -o a.safetensors
	phi-inspect --json a.safetensors | jq -e '.tensors[0].name == "w"'
}

@test "objects, text and records are left alone" {
	run phi-inspect "$small/mixed.npz"
	[ "$status" -eq 0 ]
	[[ $output == *"phi-inspect: warning: left out (3 of them): text.npy: its elements are text"* ]]
	phi-inspect --json "$small/mixed.npz" 2>warning | jq -e '.tensors | length == 1'
	[ "$(wc -l <warning)" -eq 1 ]
	run phi-inspect -q --check "$small/mixed.npz"
	[ "$status" -eq 0 ]
	[ "$(grep -c 'info: numpy.elements: ' <<<"$output")" -eq 3 ]
}

@test "what cannot be written" {
	fails 2 "phi-repack: tensor bfloat16: numpy cannot hold BF16; the nearest it can is F32" \
		phi-repack "$small/bfloat16.npy" -o a.npy
	fails 2 "phi-repack: a .npy holds one array, not 3; -o NAME.npz holds all, --only picks one" \
		phi-repack "$small/packed.npz" -o a.npy
	fails 2 "phi-repack: a .npy holds one array, not 3; -o NAME.npz holds all, --only picks one" \
		phi-repack -f numpy "$small/packed.npz"
	phi-repack "$small/packed.npz" --only b -o b.npy
	phi-inspect --json b.npy | jq -e '.tensors[0].shape == [64]'
	only_files b.npy
}
