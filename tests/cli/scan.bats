# phi-inspect --scan. Which files are found for what: tests/scan/run.py.
load common

# pickle FILE BYTES: as printf writes them
pickle()
{
	printf "$2" >"$1"
}
evil='\x80\x02cposix\nsystem\nX\x01\x00\x00\x00x\x85R.'

@test "what is clean is so silently" {
	phi-repack -q Phi-4-mini -o a.gguf
	run phi-inspect --scan Phi-4-mini a.gguf Phi-4-mini/model.safetensors "$top"/fixtures/small/pytorch/plain.pt
	[ "$status" -eq 0 ] && [ -z "$output" ]
	run bash -c 'phi-inspect --scan <a.gguf && cat a.gguf | phi-inspect --scan'
	[ "$status" -eq 0 ] && [ -z "$output" ]
	run bash -c 'phi-repack -q Phi-4-mini | phi-inspect --scan -'
	[ "$status" -eq 0 ] && [ -z "$output" ]
	only_files a.gguf
}

@test "a line says file, entry, severity, rule and offset" {
	pickle a.bin "$evil"
	run phi-inspect --scan a.bin
	[ "$status" -eq 1 ]
	[ "$output" = "a.bin: dangerous: pickle.global.dangerous: offset 2: posix system runs code, or reaches what does" ]
	python3 -c 'import zipfile, sys; zipfile.ZipFile("a.zip", "w").write("a.bin", "in/er")'
	run phi-inspect --scan a.zip
	[ "$status" -eq 1 ]
	[[ $output == "a.zip: in/er: dangerous: pickle.global.dangerous: offset 2: "* ]]
	mkdir -p d/sub && cp a.bin d/sub/notes.txt
	run phi-inspect --scan d
	[ "$status" -eq 1 ]
	[[ $output == "d: sub/notes.txt: dangerous: pickle.global.dangerous: offset 2: "* ]]
	run bash -c 'cat a.bin | phi-inspect --scan'
	[ "$status" -eq 1 ]
	[[ $output == "stdin: dangerous: "* ]]
}

@test "names out of a file are escaped" {
	pickle a.bin '\x80\x04\x8c\x03a\x1b[\x8c\x02\xff\n\x93.'
	run phi-inspect --scan a.bin
	[ "$status" -eq 1 ] && [ "${#lines[@]}" -eq 1 ]
	[[ $output == *': a\x1b[ \xff\x0a is no name '* ]]
}

@test "JSON" {
	pickle a.bin "$evil"
	run bash -c "phi-inspect --scan --json a.bin | jq -r '.file, (.findings[] | .severity, .rule, .offset)' | paste -sd ' '"
	[ "$output" = "a.bin dangerous pickle.global.dangerous 2" ]
	pickle b.bin 'nothing'
	run bash -c "phi-inspect --scan --json a.bin b.bin | jq -c '.[] | [.file, (.findings | length)]' | paste -sd ' '"
	[ "$output" = '["a.bin",1] ["b.bin",0]' ]
	phi-inspect --scan --csv a.bin b.bin a.bin >x || [ $? -eq 1 ]
	[ "$(cut -d, -f1-3 x)" = $'path,severity,rule\na.bin,dangerous,pickle.global.dangerous\na.bin,dangerous,pickle.global.dangerous' ]
}

@test "the exit status" {
	pickle evil "$evil"
	pickle odd '7z\xbc\xaf\x27\x1c----------'
	pickle good 'nothing'
	run phi-inspect --scan good
	[ "$status" -eq 0 ]
	run phi-inspect --scan good odd
	[ "$status" -eq 2 ] && [[ $output == "odd: unscannable: file.compressed: "* ]]
	run phi-inspect --scan evil odd good
	[ "$status" -eq 1 ] && [ "${#lines[@]}" -eq 2 ]
	fails 2 "phi-inspect: nowhere: No such file or directory" phi-inspect --scan good nowhere
	run phi-inspect --scan nowhere evil
	[ "$status" -eq 1 ] && [ "${#lines[@]}" -eq 2 ]
	run phi-inspect --scan -o report evil
	[ "$status" -eq 1 ] && [ -z "$output" ] && grep '^evil: dangerous: ' report
}

@test "what cannot be opened in a folder is not clean" {
	mkdir d && ln -s /etc/passwd d/link && mkfifo d/pipe
	run phi-inspect --scan d
	[ "$status" -eq 2 ] && [ "${#lines[@]}" -eq 2 ]
	[[ ${lines[0]} == "d: link: unscannable: file.unreadable: "* && ${lines[1]} == "d: pipe: unscannable: file.unreadable: "* ]]
}

@test "several folders, in the sandbox" {
	for d in a b c d e; do mkdir $d && pickle $d/f "$evil"; done
	run phi-inspect --scan a b c d e
	[ "$status" -eq 1 ] && [ "${#lines[@]}" -eq 5 ]
}

@test "the man page has every rule" {
	{
		sed -nE 's/^RULE\([A-Z_]+, "([^"]+)", .*/\1/p' "$top/formats/pytorch/scan_rules.def"
		grep -ohE '"onnx\.[a-z]+"' "$top"/formats/onnx/scan_model.c | tr -d '"'
	} | sort -u >have
	sed -nE '/^\.Sh SCAN/,/^\.Sh EXIT/s/^\.It Cm //p' "$top/man/phi-inspect.1" | sort >page
	[ -s have ] && diff have page
}
