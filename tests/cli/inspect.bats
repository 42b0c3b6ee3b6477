# What phi-inspect prints.
load common

@test "a small safetensors file, as text" {
	safetensors a.safetensors 'w=F32:2x3:1,2,3,4,5,6' 'b=I32:3:7,8,9' 's=F32::0.5'
	phi-inspect --sum a.safetensors | golden inspect.text
}

@test "a small safetensors file, as JSON" {
	safetensors a.safetensors 'w=F32:2x3:1,2,3,4,5,6' 'b=I32:3:7,8,9'
	phi-inspect --sum --json a.safetensors | golden inspect.json
	[ "$(phi-inspect --json a.safetensors)" = "$(phi-inspect -f json a.safetensors)" ]
}

@test "the digest is that of the tensor's bytes" {
	safetensors a.safetensors 'w=F32:2x3:1,2,3,4,5,6'
	want=$(python3 -c 'import struct,hashlib; print(hashlib.sha256(struct.pack("<6f",1,2,3,4,5,6)).hexdigest())')
	[ "$(phi-inspect --sum --json a.safetensors | jq -r '.tensors[0].sha256')" = "$want" ]
	[ "$(phi-inspect --sum --json < a.safetensors | jq -r '.tensors[0].sha256')" = "$want" ]
	[ "$(cat a.safetensors | phi-inspect --sum --json | jq -r '.tensors[0].sha256')" = "$want" ]
}

@test "JSON of the fixture is valid, offsets are the file's" {
	phi-inspect --json Phi-4-mini >a.json
	[ "$(jq -c 'keys_unsorted' a.json)" = '["format","metadata","tensors"]' ]
	[ "$(jq -c '.tensors[0]|keys_unsorted' a.json)" = '["name","dtype","shape","nbytes","file","offset"]' ]
	[ "$(jq -r '.metadata.model_type' a.json)" = phi3 ]
	[ "$(jq '.tensors|length' a.json)" -eq 14 ]
	# The last tensor ends where the file does.
	[ "$(jq '[.tensors[]|.offset+.nbytes]|max' a.json)" -eq "$(stat -c %s Phi-4-mini/model.safetensors)" ]
}

@test "names from a file are printed escaped" {
	safetensors a.safetensors $'a\e[31m\nb=F32:1:1' $'\xe2\x80\xaegnp=F32:1:1'
	run phi-inspect a.safetensors
	[ "$status" -eq 0 ]
	[[ "$output" == *'a\x1B[31m\x0Ab'* || "$output" == *'a\x1b[31m\x0ab'* ]]
	[[ "$output" != *$'\e'* ]]
	[[ "$output" != *$'\xe2\x80\xae'* ]]
	phi-inspect --json a.safetensors | jq -e '.tensors[0].name | contains("b")' >/dev/null
}

@test "color only when asked for, or on a terminal" {
	safetensors a.safetensors 'w=F32:1:1'
	! phi-inspect a.safetensors | has $'\e'
	phi-inspect --color always a.safetensors | has $'\e'
	! phi-inspect --color never a.safetensors | has $'\e'
	command -v script >/dev/null || skip "script is not there"
	script -qec 'TERM=xterm phi-inspect a.safetensors' /dev/null </dev/null >seen; grep -q $'\e\[1m' seen
	script -qec 'TERM=xterm NO_COLOR=1 phi-inspect a.safetensors' /dev/null </dev/null >seen; ! grep -q $'\e\[1m' seen
}

@test "a report in a file" {
	phi-inspect --json Phi-4-mini -o a.json
	cmp a.json <(phi-inspect --json Phi-4-mini)
	fails 2 "phi-inspect: a.json: exists already; --force replaces it" phi-inspect Phi-4-mini -o a.json
	phi-inspect --force Phi-4-mini -o a.json
	cmp a.json <(phi-inspect Phi-4-mini)
	only_files a.json
}

@test "only and exclude" {
	names() { phi-inspect --json "$@" Phi-4-mini | jq -r '.tensors[].name'; }
	[ "$(names --only '*norm*' --exclude '*layers.1*' | wc -l)" -eq 3 ]
	[ "$(names --only '*.o_proj.*' --only 'model.norm.weight' | wc -l)" -eq 3 ]
	fails 2 "phi-inspect: --only and --exclude leave no tensor" phi-inspect --only nothing Phi-4-mini
}

@test "only and exclude leave a pipe's own check alone" {
	phi-repack Phi-4-mini | phi-inspect --sum --json --only '*layers.1.*' >a
	phi-inspect --sum --json --only '*layers.1.*' Phi-4-mini >b
	diff <(jq -c '.tensors[]|[.name,.sha256]' a | sort) <(jq -c '.tensors[]|[.name,.sha256]' b | sort)
}

@test "a stream says what it is, of what, and whose names it carries" {
	phi-repack Phi-4-mini | phi-inspect | sed -n 1p | has '^stdin: stream of hf, phi3, 14 tensors, '
	phi-quant -q -t q8_0 Phi-4-mini | phi-inspect >a
	head -n 1 a | has '^stdin: stream of hf as gguf, phi3, 16 tensors, '
	[ "$(phi-repack Phi-4-mini | phi-inspect --json | jq -r .format)" = stream ]
}
