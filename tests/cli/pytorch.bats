# Odd forms of torch.save; the fixtures and what torch reads in them are made by fixtures/small.py.
load common

small="$BATS_TEST_DIRNAME/../../fixtures/small/pytorch"

# Names and digests of a file's tensors, sorted.
digests()
{
	phi-inspect --json --sum "$1" | jq -r '.tensors[] | "\(.name) \(.sha256)"' | sort
}

@test "quantized, sparse, conjugated, arrays, classes: as torch has them" {
	for f in odd.pt odd5.pt; do
		phi-repack -q --force "$small/$f" -o a.safetensors
		digests a.safetensors | diff - <(sort "$small/odd.tensors")
		# A pipe gives the same.
		phi-repack -q "$small/$f" | phi-repack -q --force -o b.safetensors
		cmp a.safetensors b.safetensors
	done
}

@test "what is shown in another form is said" {
	run phi-inspect --json "$small/odd.pt"
	[ "$status" -eq 0 ]
	[[ $output == *"warning: tensor coo: it is sparse (coo): its indices, values and size are shown"* ]]
	[[ $output == *"warning: tensor csr: it is sparse (csr)"* ]]
	phi-inspect -q --json "$small/odd.pt" | jq -r '.tensors[] | select(.name | test("q|rows|columns")) | "\(.name) \(.dtype)"' >types
	diff types - <<'END'
qint8 QINT8 TENSOR F32 ZP
quint8 QUINT8 TENSOR F32 ZP
rows QINT8 CHANNEL F32 ZP
columns QINT8 CHANNEL F32 ZP
quint4x2 QUINT4X2 CHANNEL F32 ZP
END
}

@test "a module is its state_dict" {
	phi-inspect -q --json "$small/module.pt" | jq -r '.tensors[].name' >a
	phi-inspect -q --json "$small/state_dict.bin" | jq -r '.tensors[].name' >b
	diff a b
}
