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
}

@test "every byte of every format" {
	for f in gguf safetensors hf pytorch stream; do
		phi-repack -q -f $f Phi-4-mini -o out-$f
		phi-inspect --check out-$f
		phi-inspect --layout --json out-$f | jq -e 'length > 14 and (group_by(.file) | all(
			reduce .[] as $r ({at: 0, ok: true};
				{at: ($r.offset + $r.size), ok: (.ok and $r.offset == .at and $r.size > 0)}) | .ok))'
	done
	[ "$(phi-inspect --layout --json out-stream | jq '[.[].size] | add')" -eq "$(stat -c %s out-stream)" ]
	phi-repack -z -q -f stream Phi-4-mini -o z
	phi-inspect --layout --json z | jq -e 'length == 1 and .[0].what == "compressed"'
	fails 2 "phi-inspect: stdin: the layout of stream is not shown" sh -c 'phi-inspect --layout <out-stream | cat; cat out-stream | phi-inspect --layout'
}

@test "safetensors" {
	good='{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}'
	made() { python3 -c 'import struct, sys
t = sys.argv[2].encode()
open(sys.argv[1], "wb").write(struct.pack("<Q", len(t)) + t + bytes(int(sys.argv[3])))' "$@"; }
	made a.safetensors "$good}" 8
	run phi-inspect --check a.safetensors
	[ "$status" -eq 0 ]
	made a.safetensors '{"a":{"dtype":"I8","shape":[8],"data_offsets":[0,8],"x":1}}' 8 && finds safetensors.field a.safetensors
	made a.safetensors '{"__metadata__":{"format":"jax"},"a":{"dtype":"I8","shape":[8],"data_offsets":[0,8]}}' 8 &&
		finds safetensors.format a.safetensors
	made a.safetensors '{"b":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}}  ' 5
	run phi-inspect --check a.safetensors
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "a.safetensors: info: safetensors.alignment: tensor a: not at a multiple of its elements' size (1 in all)" ]
	[ "${lines[1]}" = "a.safetensors: info: safetensors.order: tensor b: not where the reference would write it" ]
	# A hole, an overlap, bytes at the end: no model at all.
	for ends in "4,12 8" "0,4 8" "0,8 9"; do
		made a.safetensors '{"a":{"dtype":"I8","shape":[8],"data_offsets":['${ends% *}']}}' ${ends#* }
		finds model.unreadable a.safetensors
	done
}

@test "folders" {
	cp -r Phi-4-mini bad
	echo '{' >bad/generation_config.json
	run phi-inspect --check bad
	[ "$status" -eq 1 ]
	[[ $output == *"generation_config.json: invalid: hf.json: "* ]]
	rm bad/config.json bad/generation_config.json
	run phi-inspect --check bad
	[ "$status" -eq 0 ] && [ "$output" = "bad: info: hf.configuration: there is no config.json" ]
	cp -r "$top/fixtures/small/safetensors/sharded" s
	index=s/model.safetensors.index.json
	phi-inspect --check s | has hf.configuration
	sed -i 's/148/147/' $index
	phi-inspect --check s >out || [ $? -eq 1 ]
	has "index.json: invalid: hf.total-size: total_size is 147, but the tensors have 148 bytes" out
	cp s/model-00001-of-00002.safetensors s/model-00003-of-00003.safetensors
	finds model.unreadable s
	rm s/model-00003-of-00003.safetensors
	sed -i 's/"c.weight"/"d.weight"/' $index
	finds model.unreadable s
}

@test "zips of torch and NumPy" {
	for f in plain.pt types.npz; do
		cp "$top"/fixtures/small/*/$f x && phi-inspect --check x >out
		[ ! -s out ]
		# A byte of a weight: torch.load would not notice.
		at=$(phi-inspect --json x | jq '.tensors[0].offset')
		poke x $at '\377\001'
		run phi-inspect --check x
		[ "$status" -eq 1 ] && [[ $output == *": invalid: zip.checksum: not the bytes that were written"* ]]
	done
	python3 - "$top/fixtures/small/pytorch/plain.pt" <<'PY'
import sys, zipfile
old = zipfile.ZipFile(sys.argv[1])
with zipfile.ZipFile("x.pt", "w") as new:
    for n in old.namelist():
        new.writestr(n, old.read(n))
    new.writestr("plain/data/9", bytes(100))
PY
	run phi-inspect --check x.pt
	[ "$status" -eq 1 ]
	[ "${lines[0]}" = "x.pt: plain/data/9: invalid: pytorch.unreferenced: 100 bytes that nothing refers to" ]
	[[ "${lines[1]}" == "x.pt: plain/data/0: info: pytorch.alignment: "* ]]
	cp "$top/fixtures/small/numpy/plain.npy" x.npy
	echo more >>x.npy
	run phi-inspect -q --check x.npy
	[ "$status" -eq 1 ] && [ "$output" = "x.npy: invalid: numpy.trailing: 5 bytes follow the end of the array" ]
}

@test "streams: a digest that does not agree, an end that is missing" {
	phi-repack -q -f stream Phi-4-mini -o s.tar
	cp s.tar t.tar
	poke t.tar 2000000 x
	finds model.damaged t.tar
	cat s.tar | phi-inspect --check
	head -c 2000000 s.tar >t.tar
	finds model.damaged t.tar
	run bash -c 'head -c 2000000 s.tar | phi-inspect --check'
	[ "$status" -eq 1 ] && [[ $output == "stdin: invalid: model.damaged: "* ]]
}

@test "members that make no packed weight" {
	python3 - "$top" <<'PY'
import sys
sys.path.insert(0, sys.argv[1] + "/tests/hostile")
import build as b
m = {"m.qweight": ("I32", [4, 32], bytes(512)), "m.qzeros": ("I32", [1, 4], bytes(16)), "m.g_idx": ("I32", [32], bytes(128)),
     "m.scales": ("F16", [1, 32], bytes(64))}
open("good.safetensors", "wb").write(b.safetensors(m))
m["m.scales"] = ("F16", [1, 30], bytes(60))
open("shape.safetensors", "wb").write(b.safetensors(m))
del m["m.scales"]
open("missing.safetensors", "wb").write(b.safetensors(m))
PY
	phi-inspect --check good.safetensors >out
	! has packed out
	for f in shape missing; do
		phi-inspect --check $f.safetensors >out || [ $? -eq 1 ]
		has "invalid: packed.members: tensor m.qweight: " out
	done
}
