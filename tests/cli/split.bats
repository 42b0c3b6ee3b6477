# A GGUF in parts, and whole again.
load common

whole()
{
	phi-repack -q Phi-4-mini -o whole.gguf
}

@test "cut by size and by count, and whole again" {
	whole
	for how in "--split-size 100K" "--split-size 1M" "--split-count 3" "--split-count 16"; do
		phi-repack $how whole.gguf -o part.gguf
		[ ! -e part.gguf ]
		phi-repack part-00001-of-*.gguf -o again.gguf
		cmp whole.gguf again.gguf
		rm part-* again.gguf
	done
	only_files whole.gguf
}

@test "from a pipe, from a folder, quantized, with any number of threads" {
	whole
	phi-repack -j1 --split-count 3 whole.gguf -o a.gguf
	phi-repack -q Phi-4-mini | phi-repack -q -j8 --split-count 3 -o b.gguf
	for i in 1 2 3; do cmp a-0000$i-of-00003.gguf b-0000$i-of-00003.gguf; done
	phi-quant -q -t q8_0 Phi-4-mini --split-size 500K -o c.gguf
	phi-quant -q -t q8_0 Phi-4-mini -o d.gguf
	phi-repack c-00001-of-*.gguf -o e.gguf
	cmp d.gguf e.gguf
}

@test "the first part appears last" {
	whole
	phi-repack -n --split-count 3 whole.gguf -o p.gguf | grep -o 'p-0000.-of-00003' | uniq >have
	[ "$(cat have)" = "$(printf 'p-0000%d-of-00003\n' 2 3 1)" ]
}

@test "what fits into one file is one" {
	whole
	phi-repack --split-size 1G whole.gguf -o one.gguf
	cmp whole.gguf one.gguf
	phi-repack --split-count 1 whole.gguf -o two.gguf
	cmp whole.gguf two.gguf
}

@test "a folder's shards" {
	phi-repack --shard-size 1M Phi-4-mini -o cut/
	[ -e cut/model.safetensors.index.json ] && [ -e cut/model-00002-of-0000*.safetensors ]
	phi-diff --strict Phi-4-mini cut
}

@test "what cannot be cut is refused" {
	whole
	fails 2 "phi-repack: 16 tensors cannot be cut into 17 parts" \
		phi-repack --split-count 17 whole.gguf -o p.gguf
	fails 2 "phi-repack: parts are cut by size or by count, not by both" \
		phi-repack --split-count 2 --split-size 1K whole.gguf -o p.gguf
	fails 2 "phi-repack: gguf makes 2 files and cannot be written to a pipe" \
		phi-repack --split-count 2 whole.gguf -f gguf
	fails 2 "phi-repack: safetensors is not written in files of a size asked for" \
		phi-repack --split-size 1K whole.gguf -o p.safetensors
	fails 2 "phi-repack: stream is not written in files of a number asked for" \
		phi-repack --split-count 2 whole.gguf
	: >p-00002-of-00002.gguf
	fails 2 "phi-repack: p-00002-of-00002.gguf: exists already; --force replaces it" \
		phi-repack --split-count 2 whole.gguf -o p.gguf
	only_files whole.gguf p-00002-of-00002.gguf
}
