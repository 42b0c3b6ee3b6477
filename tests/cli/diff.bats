# What phi-diff says and how it exits.
load common

setup_pair()
{
	safetensors a.safetensors 'w=F32:2x2:1,2,3,4' 'v=F32:4:1,1,1,1' 'same=F32:2:5,6' 'gone=F32:1:1'
	safetensors b.safetensors 'w=F32:2x2:1,2,3,4.5' 'v=F32:2x2:1,1,1,1' 'same=F32:2:5,6' 'new=F32:1:1'
}

@test "missing, shape, values: worst first" {
	setup_pair
	run phi-diff a.safetensors b.safetensors
	[ "$status" -eq 1 ]
	echo "$output" | golden diff.text
	phi-diff --json a.safetensors b.safetensors >x.json || [ $? -eq 1 ]
	golden diff.json <x.json
	jq -e . x.json >/dev/null
}

@test "equal models" {
	run phi-diff Phi-4-mini Phi-4-mini
	[ "$status" -eq 0 ]
	[ "$output" = "Phi-4-mini and Phi-4-mini agree: 14 tensors, 14 equal" ]
	phi-diff --strict Phi-4-mini Phi-4-mini
	[ "$(phi-diff --json Phi-4-mini Phi-4-mini | jq .differs)" = false ]
}

@test "brief is the last line" {
	setup_pair
	run phi-diff --brief a.safetensors b.safetensors
	[ "$status" -eq 1 ]
	[ "$output" = "$(phi-diff a.safetensors b.safetensors | tail -n 1)" ]
}

@test "tolerance" {
	safetensors a.safetensors 'w=F32:2x2:1,2,3,4'
	safetensors b.safetensors 'w=F32:2x2:1,2,3,4.5'
	# max 0.5, rmse 0.25, rel sqrt(0.25/30) = 0.0913, sqnr 10 log10(30/0.25) = 20.79
	for ok in max=0.5 rmse=0.25 rel=0.0913 sqnr=20.79 max=0.5,rmse=1,rel=1,sqnr=20; do
		phi-diff --tolerance $ok a.safetensors b.safetensors
	done
	for bad in max=0.49 rmse=0.24 rel=0.0912 sqnr=20.8 max=0.5,sqnr=21; do
		run phi-diff --tolerance $bad a.safetensors b.safetensors
		[ "$status" -eq 1 ]
	done
}

@test "not a number on one side differs whatever the tolerance" {
	safetensors a.safetensors 'w=F32:3:1,nan,inf'
	safetensors b.safetensors 'w=F32:3:1,nan,inf'
	safetensors c.safetensors 'w=F32:3:1,2,inf'
	phi-diff a.safetensors b.safetensors
	run phi-diff --tolerance max=1000 a.safetensors c.safetensors
	[ "$status" -eq 1 ]
	[[ "$output" == *"NaN or infinite on one side: 1"* ]]
}

@test "types and metadata count under --strict" {
	safetensors a.safetensors 'w=F32:2:1,2'
	safetensors b.safetensors 'w=F64:2:1,2'
	run phi-diff a.safetensors b.safetensors
	[ "$status" -eq 0 ]
	[[ "$output" == *"equal values, other types"* ]]
	run phi-diff --strict a.safetensors b.safetensors
	[ "$status" -eq 1 ]
	cp -r Phi-4-mini other
	sed -i 's/"rope_theta": 10000.0/"rope_theta": 10001.0/' other/config.json
	run phi-diff Phi-4-mini other
	[ "$status" -eq 0 ]
	[[ "$output" == *"rope_theta"*"10000.0"*"10001.0"* ]]
	run phi-diff --strict Phi-4-mini other
	[ "$status" -eq 1 ]
}

@test "pipes, one and two" {
	m=Phi-4-mini/model.safetensors
	cat $m | phi-diff $m
	cat $m | phi-diff $m -
	cat $m | phi-diff - $m
	phi-diff <(cat $m) <(cat $m)
	run phi-diff --no-spool <(cat $m) <(cat $m)
	[ "$status" -eq 2 ]
	only_files
}

@test "the same figures for any number of threads" {
	setup_pair
	for o in --json ''; do
		phi-diff -j1 $o Phi-4-mini/model.safetensors a.safetensors >1 || [ $? -eq 1 ]
		phi-diff -j8 $o Phi-4-mini/model.safetensors a.safetensors >8 || [ $? -eq 1 ]
		cmp 1 8
	done
}

@test "only and exclude" {
	setup_pair
	phi-diff --only same a.safetensors b.safetensors
	phi-diff --exclude 'w' --exclude 'v' --exclude gone --exclude new a.safetensors b.safetensors
}

@test "across formats: hyper-parameters and rope factors" {
	phi-repack -q Phi-4-mini -o a.gguf
	phi-diff --brief Phi-4-mini a.gguf
	# The same from a pipe, whose tensors can be read once.
	cat a.gguf | phi-diff --brief Phi-4-mini
	jq '.rope_scaling.long_factor[3] += 0.5 | .rope_theta = 5000' Phi-4-mini/config.json >c
	mv c Phi-4-mini/config.json
	run phi-diff Phi-4-mini a.gguf
	[ "$status" -eq 1 ]
	[[ "$output" == *"rope_factors_long.weight"*"differs"* ]]
	[[ "$output" == *"rope_theta  5000.0  10000.0"* ]]
	[ "$(phi-diff --json Phi-4-mini a.gguf | jq -c '[.tensors[]|select(.state!="equal")|[.name,.max_at]]')" = \
		'[["rope_factors_long.weight",3]]' ]
}

@test "a table of all tensors, and CSV, JSON lines" {
	setup_pair
	phi-diff --tensors a.safetensors b.safetensors >x || [ $? -eq 1 ]
	golden diff.tensors <x
	phi-diff --csv a.safetensors b.safetensors >x || [ $? -eq 1 ]
	golden diff.csv <x
	phi-diff --jsonl a.safetensors b.safetensors >x || [ $? -eq 1 ]
	golden diff.jsonl <x
	jq -es 'length == 6' x >/dev/null
}

@test "metadata alone" {
	cp -r Phi-4-mini other
	sed -i 's/"rope_theta": 10000.0/"rope_theta": 10001.0/' other/config.json
	phi-diff --metadata Phi-4-mini Phi-4-mini
	run phi-diff --metadata Phi-4-mini other
	[ "$status" -eq 1 ]
	echo "$output" | golden diff.metadata
	phi-diff --metadata --csv Phi-4-mini other >x || [ $? -eq 1 ]
	[ "$(cat x)" = $'key,a,b\r\nrope_theta,10000.0,10001.0\r' ]
	phi-repack -q Phi-4-mini -o a.gguf
	phi-diff --metadata Phi-4-mini a.gguf
	cat a.gguf | phi-diff --metadata a.gguf -
}

@test "worst blocks, the same for any threads and from pipes" {
	safetensors a.safetensors "w=F32:2x64:$(seq -s, 128)" "v=F32:40:$(seq -s, 40)"
	safetensors b.safetensors "w=F32:2x64:$(seq -s, 96),97.5,$(seq -s, 98 127),130" "v=F32:40:$(seq -s, 38),39,41"
	phi-diff --blocks 2 a.safetensors b.safetensors >x || [ $? -eq 1 ]
	golden diff.blocks <x
	phi-diff --blocks 64 --json a.safetensors b.safetensors >x || [ $? -eq 1 ]
	[ "$(jq -c '[.blocks[]|[.name,.block,.first,.length,.max_at,.a,.b,(.values_a|length)]]' x)" = \
		'[["w",3,96,32,127,128,130,32],["v",1,32,8,39,40,41,8]]' ]
	phi-quant -q -t q4_k_m Phi-4-mini -o q.gguf
	for o in --json --csv; do
		phi-diff -j1 --blocks 20 --stats $o Phi-4-mini q.gguf >1 || [ $? -eq 1 ]
		phi-diff -j8 --blocks 20 --stats $o Phi-4-mini q.gguf >8 || [ $? -eq 1 ]
		cat q.gguf | phi-diff -j8 --blocks 20 --stats $o Phi-4-mini - >p || [ $? -eq 1 ]
		cmp 1 8
		cmp 1 p
	done
	# What a block's rmse is.
	phi-diff --blocks 1 --json Phi-4-mini q.gguf >x || [ $? -eq 1 ]
	jq -e '.blocks[0] | ([.values_a, .values_b] | transpose | map((.[0]-.[1])*(.[0]-.[1])) | add / length | sqrt) as $r | (.rmse - $r) | fabs < 1e-9' x >/dev/null
}

@test "statistics of both sides" {
	setup_pair
	phi-diff --stats a.safetensors b.safetensors >x || [ $? -eq 1 ]
	golden diff.stats <x
	phi-diff --stats --json a.safetensors b.safetensors >x || [ $? -eq 1 ]
	[ "$(jq -c '.tensors[]|select(.name=="w")|[.min_a,.max_a,.max_b,.mean_a]' x)" = '[1,4,4.5,2.5]' ]
}

@test "a heat map of layers and modules" {
	phi-quant -q -t q4_k_m Phi-4-mini -o q.gguf
	phi-diff --heatmap --only '*layers*' Phi-4-mini q.gguf | sed -n '/^SQNR/,/^$/p' >x || [ $? -eq 1 ]
	golden diff.heatmap <x
	phi-diff --heatmap --color always Phi-4-mini q.gguf >x || [ $? -eq 1 ]
	grep -q $'\e\[35m' x
	! LC_ALL=C.UTF-8 phi-diff --heatmap Phi-4-mini q.gguf | cmp - <(LC_ALL=C phi-diff --heatmap Phi-4-mini q.gguf) | grep .
}

@test "any two: shards and one file, folder and GGUF, torch, stream, byte orders" {
	phi-repack -q --split-size 1M Phi-4-mini -o shards/
	phi-repack -q Phi-4-mini -o one.gguf
	phi-repack -q --split-size 1M Phi-4-mini -f gguf -o split.gguf
	phi-repack Phi-4-mini >model.phi
	s=$(ls split*-of-*.gguf | head -n 1)
	for a in Phi-4-mini shards one.gguf $s model.phi; do
		for b in Phi-4-mini one.gguf model.phi shards; do
			phi-diff --brief $a $b || { echo "$a $b"; return 1; }
		done
	done
	phi-diff --brief <(phi-repack Phi-4-mini) <(cat one.gguf)
	phi-repack Phi-4-mini | phi-diff --brief - <(cat one.gguf)
}

@test "--imatrix: errors as the importance weighs them" {
	phi-quant -q -t q4_0 Phi-4-mini -o b.gguf
	imatrix i.dat blk.{0,1}.attn_qkv.weight:256 blk.0.ffn_down.weight:768
	phi-diff --json --imatrix i.dat Phi-4-mini b.gguf >d.json || [ $? -eq 1 ]
	# Those it names have weighted errors, of the size of the others; the rest have none.
	jq -r '.tensors[] | select(.weighted_rmse) | .name' d.json | sort >have
	printf '%s\n' model.layers.0.mlp.down_proj.weight model.layers.{0,1}.self_attn.qkv_proj.weight | sort | diff - have
	jq -e '[.tensors[] | select(.weighted_rmse) | (.weighted_sqnr - .sqnr | fabs) < 1, .weighted_rmse > 0] | all' d.json
	jq -e '.tensors[] | select(.name == "model.embed_tokens.weight") | has("weighted_rmse") and .weighted_rmse == null' d.json
	(phi-diff --imatrix i.dat Phi-4-mini b.gguf || [ $? -eq 1 ]) | grep "weighted rmse"
	phi-diff --json Phi-4-mini b.gguf >e.json || [ $? -eq 1 ]
	jq -e '[.tensors[] | has("weighted_rmse")] | any | not' e.json
}
