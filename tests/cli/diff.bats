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
