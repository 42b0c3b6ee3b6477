# Writing torch's checkpoints: lone files and folders of them. What torch itself says is in tests/peers.
load common

views="$BATS_TEST_DIRNAME/../../fixtures/small/pytorch/views.pt"

@test "a checkpoint by its suffix, whole zips, the bytes of torch.save" {
	for suffix in pt pth bin ckpt; do
		phi-repack -q Phi-4-mini -o a.$suffix
		cmp a.pt a.$suffix
	done
	python3 -m zipfile -t a.pt | has "Done testing"
	phi-diff Phi-4-mini/model.safetensors a.pt
	# What torch wrote to a stream comes out again.
	phi-repack -q "$top/fixtures/small/pytorch/plain.pt" -o b.pt
	phi-repack -q b.pt -o c.pt
	cmp b.pt c.pt
}

@test "data begins at multiples of 64, in the plan and in the file" {
	phi-repack -q -n --json Phi-4-mini -o a.pt | jq -e '[.items[] | select(.dtype) | .offset % 64] | max == 0'
	phi-repack -q Phi-4-mini -o a.pt
	phi-inspect --json a.pt | jq -e '[.tensors[].offset % 64] | max == 0'
}

@test "views and ties share their storage again" {
	phi-repack -q "$views" -o a.pt
	phi-diff --strict "$views" a.pt
	places='[.tensors[] | .offset] | (. | length) - (unique | length)'
	[ "$(phi-inspect --json "$views" | jq "$places")" -gt 0 ]
	[ "$(phi-inspect --json "$views" | jq "$places")" = "$(phi-inspect --json a.pt | jq "$places")" ]
	# Through safetensors, which shares nothing, they are gone.
	phi-repack -q "$views" -o a.safetensors
	phi-repack -q a.safetensors -o b.pt
	[ "$(phi-inspect --json b.pt | jq "$places")" = 0 ]
}

@test "what torch cannot hold is refused, with the nearest type" {
	phi-quant -q --pure -t q8_0 Phi-4-mini -o a.gguf
	fails 2 "phi-repack: tensor model.embed_tokens.weight: pytorch cannot hold Q8_0; the nearest it can is F16" \
		phi-repack -q a.gguf -o a.pt
	phi-quant -q -t f16 a.gguf -f pytorch -o a.pt
	phi-inspect --json a.pt | jq -e '[.tensors[].dtype] | unique == ["F16", "F32"]'
}

@test "names of any length and kind come back" {
	long=$(head -c 4096 /dev/zero | tr '\0' x)
	safetensors a.safetensors "$long=F32:2:1,2" 'a/b=I32:1:7' 'a.b=F32::9' '0=F32:1:3' 'storage=F32:1:4' $'new\nline=F32:1:5'
	phi-repack a.safetensors -o a.pt
	phi-diff --brief a.safetensors a.pt
}

@test "what a lone file has no place for is said" {
	fails 0 "phi-repack: warning: left out, as pytorch has no place for files: config.json, \
generation_config.json, tokenizer.json, tokenizer_config.json, special_tokens_map.json" phi-repack Phi-4-mini -o a.pt
	phi-repack Phi-4-mini/model.safetensors -o b.pt 2>err
	[ ! -s err ]
}

@test "a folder with pickles, whole and cut" {
	phi-repack -f hf-bin Phi-4-mini -o one/
	[ "$(ls one | grep -v json)" = pytorch_model.bin ]
	cmp Phi-4-mini/config.json one/config.json
	phi-diff --strict Phi-4-mini one
	phi-repack -f hf-bin --shard-size 1M -j1 Phi-4-mini -o cut/
	phi-repack -f hf-bin --shard-size 1M -j8 Phi-4-mini -o eight/
	diff -r cut eight
	jq -r '.weight_map | .[]' cut/pytorch_model.bin.index.json | sort -u >want
	(cd cut && ls *.bin) | diff - want
	[ "$(wc -l <want)" -gt 1 ]
	phi-diff --strict Phi-4-mini cut
	fails 2 "phi-repack: hf-bin cannot be written to a pipe; name the output with -o" phi-repack -f hf-bin Phi-4-mini
	fails 2 "phi-repack: pytorch is not written in files of a size asked for" \
		phi-repack -q --shard-size 1M Phi-4-mini -o a.pt
}

@test "the index is checked both ways" {
	for f in hf hf-bin; do
		phi-repack -q -f $f --shard-size 1M Phi-4-mini -o $f/
		shard=$(cd $f && ls *-00002-of-*)
		index=$(cd $f && ls *.index.json)
		mv "$f/$shard" aside
		fails 2 "phi-inspect: $f: $shard: is missing, but named by $index" phi-inspect $f
		mv aside "$f/$shard"
		extra=${shard/-00002-of-/-00099-of-}
		cp "$f/$shard" "$f/$extra"
		fails 2 "phi-inspect: $f: $index: $extra is not in the index" phi-inspect $f
		rm "$f/$extra"
		phi-inspect $f >out
	done
}
