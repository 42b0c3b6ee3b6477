# A GGUF changed where it stands, and back.
load common

setup_file()
{
	cd "$BATS_FILE_TMPDIR" && cp -r "$BATS_TEST_DIRNAME/../../fixtures/phi-tiny" Phi-4-mini &&
		phi-repack -q Phi-4-mini -o whole.gguf
}

whole()
{
	cp "$BATS_FILE_TMPDIR/whole.gguf" whole.gguf
	cp whole.gguf a.gguf
}

@test "the data stays, the file is what a new one would be" {
	whole
	phi-repack --in-place a.gguf --set phi3.context_length=99 --rename 's/ffn_up/ffn_op/'
	phi-repack whole.gguf --set phi3.context_length=99 --rename 's/ffn_up/ffn_op/' -o b.gguf
	cmp a.gguf b.gguf
	only_files a.gguf b.gguf whole.gguf a.gguf.undo
}

@test "a shorter header is filled, and used up again" {
	whole
	for key in tokenizer.chat_template general.name 'tokenizer.*'; do
		phi-repack --in-place a.gguf --unset "$key"
		phi-diff -f json whole.gguf a.gguf | jq -e '.tensors | all(.equal // true)' >/dev/null
		[ "$(stat -c %s a.gguf)" = "$(stat -c %s whole.gguf)" ]
		phi-inspect a.gguf | has '^  phi.padding '
	done
	head -c 20000 /dev/zero | tr '\0' x >long
	phi-repack --in-place a.gguf --set-file tokenizer.chat_template=long
	phi-inspect --full --json a.gguf | jq -e '.metadata["tokenizer.chat_template"] | length == 20000'
	phi-diff --only 'blk.*' whole.gguf a.gguf
}

@test "undo" {
	whole
	phi-repack --in-place a.gguf --set phi3.context_length=99 --unset general.name
	phi-repack --in-place a.gguf --set x=1
	phi-repack --undo a.gguf
	phi-inspect a.gguf | has '^  phi3.context_length .* 99$'
	fails 2 "phi-repack: a.gguf: there is no .undo file beside it" phi-repack --undo a.gguf
	only_files a.gguf whole.gguf
	whole
	phi-repack --in-place a.gguf --unset 'tokenizer.*'
	phi-repack --undo a.gguf
	cmp a.gguf whole.gguf
}

@test "a change cut short is noticed, and taken back" {
	whole
	phi-repack --in-place a.gguf --unset general.name
	cp a.gguf new.gguf
	# What a crash leaves: here the old bytes, there the new ones.
	for cut in 1000 4096 20000; do
		cp new.gguf a.gguf
		dd if=whole.gguf of=a.gguf bs=$cut count=1 conv=notrunc status=none
		fails 2 "phi-repack: a.gguf: a change was cut short; --undo takes it back" \
			phi-repack --in-place a.gguf --unset 'phi3.*.*'
		cp a.gguf.undo keep
		phi-repack --undo a.gguf
		cmp a.gguf whole.gguf
		mv keep a.gguf.undo
	done
	# Not begun, or taken back by hand: nothing to do.
	phi-repack --undo a.gguf
	cmp a.gguf whole.gguf
	[ ! -e a.gguf.undo ]
}

@test "an undo file of something else is left alone" {
	whole
	phi-repack --in-place a.gguf --unset general.name
	cp whole.gguf a.gguf
	phi-repack -q whole.gguf --set general.name=x -o b.gguf
	mv a.gguf.undo b.gguf.undo
	fails 2 "phi-repack: b.gguf: was changed otherwise since; nothing is undone" phi-repack --undo b.gguf
	fails 2 "phi-repack: b.gguf: b.gguf.undo: belongs to what the file was once; move it away" \
		phi-repack --in-place b.gguf --set x=1
	echo nonsense >a.gguf.undo
	fails 2 "phi-repack: a.gguf: a.gguf.undo: is no undo file; move it away" phi-repack --undo a.gguf
	fails 2 "phi-repack: a.gguf: a.gguf.undo: is no undo file; move it away" \
		phi-repack --in-place a.gguf --unset general.name
	cmp a.gguf whole.gguf
}

@test "what would move the data is refused" {
	whole
	head -c 40000 /dev/zero | tr '\0' x >long
	run phi-repack --in-place a.gguf --set-file x=long
	[ "$status" -eq 2 ]
	[[ $output == "phi-repack: a.gguf: the header would have "*" bytes, but the data begins at "*"; write a new file with -o" ]]
	fails 2 "phi-repack: a.gguf: another alignment moves the data; write a new file with -o" \
		phi-repack --in-place a.gguf --set general.alignment=64
	cmp a.gguf whole.gguf
	only_files a.gguf long whole.gguf
}

@test "one at a time; nothing with -n" {
	whole
	phi-repack -n --in-place a.gguf --unset general.name
	cmp a.gguf whole.gguf
	exec 5<a.gguf
	flock 5
	fails 2 "phi-repack: a.gguf: is being changed by someone else: Resource temporarily unavailable" \
		phi-repack --in-place a.gguf --unset general.name
	exec 5<&-
	only_files a.gguf whole.gguf
}

@test "what cannot be changed in place" {
	whole
	fails 2 "phi-repack: --in-place: name a file" phi-repack --in-place --set x=1
	fails 2 "phi-repack: --in-place: nothing to change (see --help)" phi-repack --in-place a.gguf
	fails 2 "phi-repack: --in-place goes with --set, --set-file, --unset and --rename only" \
		phi-repack --in-place --set x=1 a.gguf -o b.gguf
	fails 2 "phi-repack: --undo takes back the last change, and no more" phi-repack --undo --set x=1 a.gguf
	fails 2 "phi-repack: nofile: cannot be changed: No such file or directory" phi-repack --in-place nofile --set x=1
	fails 2 "phi-repack: Phi-4-mini: cannot be changed: Is a directory" phi-repack --in-place Phi-4-mini --set x=1
	fails 2 "phi-repack: Phi-4-mini/model.safetensors: safetensors is not changed in place; write a new file with -o" \
		phi-repack --in-place Phi-4-mini/model.safetensors --set x=1
	for f in big-endian v1 vocab-only; do
		cp "$top/fixtures/small/gguf/$f.gguf" .
		run phi-repack --in-place $f.gguf --set general.x=1
		[ "$status" -eq 2 ]
	done
	chmod 400 a.gguf
	[ "$(id -u)" = 0 ] || fails 2 "phi-repack: a.gguf: cannot be changed: Permission denied" \
		phi-repack --in-place a.gguf --unset general.name
}
