# phi-inspect --check and --layout. What libllama makes of the same faults: tests/peers/test_check.py.
load common

whole()
{
	phi-repack -q Phi-4-mini -o a.gguf
}

# poke FILE OFFSET BYTES: as printf writes them
poke()
{
	printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# finds RULE FILE: it is the one that is invalid, and the status says so
finds()
{
	run phi-inspect --check "$2"
	[ "$status" -eq 1 ] && [[ $output == "$2: invalid: $1: "* ]] && [ "${#lines[@]}" -eq 1 ] ||
		{ echo "$status: $output"; return 1; }
}

@test "good files, silently" {
	whole
	phi-quant -q -t q8_0 Phi-4-mini -o q.gguf
	for f in a.gguf q.gguf Phi-4-mini Phi-4-mini/model.safetensors; do
		run phi-inspect --check $f
		[ "$status" -eq 0 ] && [ -z "$output" ]
	done
	run bash -c 'phi-inspect --check <a.gguf && cat a.gguf | phi-inspect --check'
	[ "$status" -eq 0 ] && [ -z "$output" ]
	only_files a.gguf q.gguf
}

@test "parts, and files of any alignment, are good" {
	whole
	phi-repack --split-count 3 a.gguf --set general.alignment=128 -o p.gguf
	run phi-inspect --check p-00001-of-00003.gguf
	[ "$status" -eq 0 ] && [ -z "$output" ]
	run phi-inspect --check p-00002-of-00003.gguf
	[ "$status" -eq 0 ]
	[ "$output" = "p-00002-of-00003.gguf: info: gguf.part: is part 2 of 3; the first one's name opens all" ]
}

@test "padding and what follows it" {
	whole
	data=$(phi-inspect --json a.gguf | jq '.tensors[0].offset')
	cp a.gguf b.gguf && poke b.gguf $((data - 1)) x && finds gguf.padding b.gguf
	cp a.gguf b.gguf && poke b.gguf $((data + 50)) x && finds gguf.padding b.gguf
	cp a.gguf b.gguf && echo more >>b.gguf && finds gguf.trailing b.gguf
	phi-repack a.gguf --only 'rope_factors_*' -o c.gguf
	truncate -s -16 c.gguf
	# 1 says that there is a finding.
	{ phi-inspect --check c.gguf || [ $? -eq 1 ]; } | grep '^c.gguf: invalid: gguf.end: 16 bytes of padding are missing'
}

@test "weights" {
	whole
	at=$(phi-inspect --json a.gguf | jq '.tensors[] | select(.name == "blk.1.attn_qkv.weight") | .offset')
	poke a.gguf $((at + 2000)) '\200\377'
	run phi-inspect --check a.gguf
	[ "$status" -eq 1 ]
	[ "$output" = "a.gguf: invalid: weights.not-finite: tensor blk.1.attn_qkv.weight: 1 of 98304 are NaN or infinite, first at 1000" ]
	safetensors x.safetensors a=F32:3:1,inf,nan
	run phi-inspect --check x.safetensors
	[ "$output" = "x.safetensors: invalid: weights.not-finite: tensor a: 2 of 3 are NaN or infinite, first at 1" ]
}

@test "keys" {
	whole
	fault() { phi-repack a.gguf "${@:2}" -o b.gguf --force && finds "$1" b.gguf; }
	fault gguf.special-token --set tokenizer.ggml.eos_token_id=1024
	fault gguf.architecture --unset general.architecture
	fault gguf.key-kind --set split.count:u32=0
	fault gguf.alignment --set general.alignment=4
	fault model.tensors --exclude blk.0.ffn_up.weight
	fault model.configuration --unset phi3.embedding_length
	phi-repack a.gguf --unset tokenizer.chat_template -o b.gguf --force
	run phi-inspect --check b.gguf
	[ "$status" -eq 0 ] && [ "$output" = "b.gguf: info: gguf.chat-template: there is no chat template" ]
}

@test "what cannot be opened" {
	whole
	head -c 1000000 a.gguf >b.gguf
	finds model.unreadable b.gguf
	echo text >b.gguf
	finds model.unreadable b.gguf
	fails 2 "phi-inspect: nofile: No such file or directory" phi-inspect --check nofile
}

@test "as JSON, and into a file" {
	whole
	echo more >>a.gguf
	run phi-inspect --check --json a.gguf
	[ "$status" -eq 1 ]
	size=$(($(stat -c %s a.gguf) - 5))
	jq -e --argjson size $size '.file == "a.gguf" and .findings == [{severity: "invalid",
		rule: "gguf.trailing", file: "a.gguf", entry: null, offset: $size,
		text: "5 bytes after the last tensor belong to none"}]' <<<"$output"
	run phi-inspect --check a.gguf -o report
	[ "$status" -eq 1 ]
	grep -q gguf.trailing report
}

@test "every byte has its place" {
	whole
	phi-repack --split-count 2 a.gguf -o p.gguf
	echo more >>p-00002-of-00002.gguf
	for f in a.gguf p-00001-of-00002.gguf; do
		phi-inspect --layout --json $f | jq -e 'group_by(.file) | all(
			reduce .[] as $r ({at: 0, ok: true};
				{at: ($r.offset + $r.size), ok: (.ok and $r.offset == .at and $r.size > 0)}) | .ok)'
	done
	phi-inspect --layout --json p-00001-of-00002.gguf | jq -r '.[].what' | sort -u | tr '\n' ' ' >have
	[ "$(cat have)" = "header padding tensor trailing " ]
	phi-inspect --layout a.gguf | grep -q '  tensor   output_norm.weight  *a.gguf$'
	run phi-inspect --layout Phi-4-mini
	[ "$status" -eq 2 ] || [ "$status" -eq 0 ]
}
