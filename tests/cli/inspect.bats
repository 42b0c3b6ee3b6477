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
	[ "$(jq -c 'keys_unsorted' a.json)" = '["format","metadata","tensors","summary"]' ]
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

# Numbers whose statistics are known by heart.
numbers()
{
	safetensors n.safetensors 'a.0.w=F32:2x4:1,-1,0,2,-2,4,0.5,3' 'a.1.w=F32:5:nan,inf,-inf,1,1' 'a.1.none=F32:0:' 'i=I32:3:-5,0,16777217'
}

@test "statistics, in every style" {
	numbers
	phi-inspect --stats n.safetensors | golden inspect.stats
	phi-inspect --stats --json n.safetensors | golden inspect.stats.json
	phi-inspect --stats --jsonl n.safetensors | golden inspect.stats.jsonl
	phi-inspect --stats --csv n.safetensors | golden inspect.stats.csv
	jq -es 'length == 5 and .[0].record == "model"' <(phi-inspect --stats --jsonl n.safetensors) >/dev/null
}

@test "statistics do not depend on the threads, nor on the way in" {
	phi-inspect -j1 --stats --json Phi-4-mini/model.safetensors >1
	phi-inspect -j8 --stats --json Phi-4-mini/model.safetensors >8
	cmp 1 8
	cat Phi-4-mini/model.safetensors | phi-inspect --stats --sum --csv | cut -d, -f1-3,5,7- >p
	phi-inspect --stats --sum --csv Phi-4-mini/model.safetensors | cut -d, -f1-3,5,7- >f
	diff <(cut -d, -f1,6- f) <(cut -d, -f1,6- p)
	only_files 1 8 p f
}

@test "statistics of packed and quantized tensors are those of their values" {
	phi-quant -q -t q4_k_m Phi-4-mini -o q.gguf
	phi-repack -q -f safetensors q.gguf -o /dev/null 2>/dev/null || true
	phi-inspect --stats --json q.gguf >a
	jq -e '[.tensors[] | select(.dtype == "Q4_K") | .std > 0.02 and .nan == 0 and (.histogram|add) + .zeros == (.shape|.[0]*.[1])] | all' a >/dev/null
}

@test "CSV: quoted as RFC 4180 says, one header" {
	safetensors a.safetensors 'x,"y"=F32:2x2:1,2,3,4'
	phi-inspect --csv a.safetensors >a
	[ "$(tail -n 1 a)" = $'"x,""y""",F32,"[2, 2]",16,a.safetensors,'"$(phi-inspect --json a.safetensors | jq .tensors[0].offset)"$'\r' ]
	phi-inspect --csv a.safetensors a.safetensors >b
	python3 - a b <<-'PY'
		import csv, sys
		a, b = ([*csv.DictReader(open(f, newline=""))] for f in sys.argv[1:])
		assert len(a) == 1 and len(b) == 2 and a[0]["name"] == 'x,"y"'
		assert b[0]["path"] == "a.safetensors" and b[1]["shape"] == "[2, 2]"
	PY
	phi-repack -q Phi-4-mini -o a.gguf
	phi-inspect --layout --csv a.gguf | python3 -c 'import csv, sys; assert sum(int(r["size"]) for r in csv.DictReader(sys.stdin)) == '"$(stat -c %s a.gguf)"
}

@test "modules: numbers are stars, --depth cuts" {
	modules() { phi-inspect --json "$@" Phi-4-mini | jq -r '.summary.modules[]|"\(.module) \(.tensors) \(.weights)"'; }
	[ "$(modules | sed -n 1,3p)" = $'model.embed_tokens 1 262144\nmodel.layers.*.input_layernorm 2 512\nmodel.layers.*.mlp.down_proj 2 393216' ]
	[ "$(modules --depth 3)" = $'model.embed_tokens 1 262144\nmodel.layers.* 12 1508352\nmodel.norm 1 256' ]
	[ "$(modules --depth 1)" = "model 14 1770752" ]
}

@test "family and tokenizer, of a folder and of its GGUF" {
	phi-repack -q Phi-4-mini -o a.gguf
	phi-inspect Phi-4-mini | sed -n 2,3p | golden inspect.facts
	phi-inspect a.gguf | sed -n 2,3p >>facts
	phi-inspect --json a.gguf | jq -e '.summary.tokenizer | .kind == "BPE" and .tokens == 1024 and .eos_text == "<|endoftext|>" and .chat_template' >/dev/null
	diff <(phi-inspect Phi-4-mini | sed -n 2p) <(sed -n 1p facts)
}

@test "several files: each with its name, the worst exit status" {
	safetensors a.safetensors 'w=F32:1:1'
	safetensors b.safetensors 'v=F32:1:1'
	head -c 50 a.safetensors >cut.safetensors
	[ "$(phi-inspect a.safetensors b.safetensors | grep -c '^[ab].safetensors: ')" -eq 2 ]
	[ "$(phi-inspect --json a.safetensors b.safetensors | jq -c '[.[]|[.path,.tensors[0].name]]')" = '[["a.safetensors","w"],["b.safetensors","v"]]' ]
	[ "$(phi-inspect --jsonl a.safetensors b.safetensors | jq -c '[.record,.path]')" = $'["model","a.safetensors"]\n["tensor","a.safetensors"]\n["model","b.safetensors"]\n["tensor","b.safetensors"]' ]
	run phi-inspect --json a.safetensors cut.safetensors b.safetensors
	[ "$status" -eq 2 ]
	phi-inspect --json a.safetensors cut.safetensors b.safetensors 2>/dev/null >x || [ $? -eq 2 ]
	[ "$(jq length x)" -eq 2 ]
	run phi-inspect --check a.safetensors cut.safetensors b.safetensors
	[ "$status" -eq 1 ]
	[[ "$output" == "cut.safetensors: invalid: model.unreadable: "* ]]
	phi-inspect --check --json a.safetensors cut.safetensors >x || [ $? -eq 1 ]
	[ "$(jq -c '[.[]|[.file,(.findings|length)]]' x)" = '[["a.safetensors",0],["cut.safetensors",1]]' ]
	phi-inspect --check --csv a.safetensors cut.safetensors >x || [ $? -eq 1 ]
	[ "$(wc -l <x)" -eq 2 ]
	phi-inspect --check --jsonl a.safetensors cut.safetensors >x || [ $? -eq 1 ]
	[ "$(jq -r .rule x)" = model.unreadable ]
	# Folders are opened in the sandbox.
	[ "$(phi-inspect --sum --jsonl Phi-4-mini Phi-4-mini | grep -c sha256)" -eq 28 ]
}

@test "quick: the names of bad files" {
	phi-repack -q Phi-4-mini -o good.gguf
	head -c 100000 good.gguf >cut.gguf
	{ cat good.gguf; echo more; } >long.gguf
	head -c 3000000 Phi-4-mini/model.safetensors >cut.safetensors
	{ cat Phi-4-mini/model.safetensors; echo; } >long.safetensors
	echo text >no.model
	phi-inspect --quick good.gguf Phi-4-mini/model.safetensors Phi-4-mini >out
	[ ! -s out ]
	run phi-inspect --quick good.gguf cut.gguf long.gguf Phi-4-mini cut.safetensors long.safetensors no.model
	[ "$status" -eq 1 ]
	[ "$output" = $'cut.gguf\nlong.gguf\ncut.safetensors\nlong.safetensors\nno.model' ]
	run phi-inspect --quick good.gguf nofile cut.gguf
	[ "$status" -eq 2 ]
	[ "$output" = $'phi-inspect: nofile: No such file or directory\ncut.gguf' ]
	run phi-inspect --quick <cut.gguf
	[ "$status" -eq 1 ]
}

@test "a bar after a second, on a terminal, unless -q" {
	command -v script >/dev/null || skip "script is not there"
	# A pipe that takes its time: weights come a second and a half after the header.
	cat >slow <<-'SH'
		f=Phi-4-mini/model.safetensors
		{ head -c 1000000 $f; sleep 1.5; tail -c +1000001 $f; } | TERM=xterm phi-inspect "$@" --sum >/dev/null
	SH
	script -qec 'bash slow' seen </dev/null >/dev/null; grep -q 'phi-inspect: \[#*\.*\]' seen
	script -qec 'bash slow -q' seen </dev/null >/dev/null; ! grep -q '\[#' seen
	bash slow 2>seen; [ ! -s seen ]
}
