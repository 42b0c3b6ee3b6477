# An output appears whole or not at all; what exists is safe; a failure is never silent.
load common

# The formats that are one file, and can be written to a pipe.
suffixes="safetensors gguf"

@test "what exists is refused, --force replaces it" {
	phi-repack Phi-4-mini/model.safetensors -o a.safetensors
	echo precious >b.safetensors
	fails 2 "phi-repack: b.safetensors: exists already; --force replaces it" \
		phi-repack a.safetensors -o b.safetensors
	[ "$(cat b.safetensors)" = precious ]
	phi-repack --force a.safetensors -o b.safetensors
	cmp a.safetensors b.safetensors
	only_files a.safetensors b.safetensors
}

@test "the input is never the output" {
	cp Phi-4-mini/model.safetensors a.safetensors
	ln a.safetensors b.safetensors
	for o in a.safetensors ./a.safetensors b.safetensors; do
		fails 2 "phi-repack: $o: input and output are the same" \
			phi-repack --force a.safetensors -o $o
	done
	cmp a.safetensors Phi-4-mini/model.safetensors
	# nor one of the files of an input folder, nor what standard input or output is
	fails 2 "phi-repack: Phi-4-mini/model.safetensors: is the input; it would be lost" \
		phi-repack -q --force Phi-4-mini -o Phi-4-mini/model.safetensors
	cp a.safetensors c.safetensors
	fails 2 "phi-repack: c.safetensors: is the input; it would be lost" \
		phi-repack -q --force -o c.safetensors <c.safetensors
	fails 2 "phi-repack: stdout: is the input; it would be lost" \
		bash -c "phi-repack -q -f safetensors c.safetensors >>c.safetensors"
	cmp a.safetensors c.safetensors
	phi-repack -q Phi-4-mini -o Phi-4-mini/new.gguf
}

@test "a folder is exchanged only if it holds nothing but planned names" {
	phi-repack Phi-4-mini -o out/
	echo mine >out/notes.txt
	run phi-repack --force Phi-4-mini -o out/
	[ "$status" -eq 2 ]
	[ "$(cat out/notes.txt)" = mine ]
	rm out/notes.txt
	phi-repack --force Phi-4-mini -o out/
	cmp out/model.safetensors Phi-4-mini/model.safetensors
	only_files out
}

@test "a full disk and a closed standard output are errors" {
	for s in $suffixes; do
		for t in "phi-repack -q -f $s"; do
			run bash -c "$t Phi-4-mini/model.safetensors >/dev/full"
			[ "$status" -eq 2 ]
			[[ "$output" == *"No space left on device" ]]
			run bash -c "$t Phi-4-mini/model.safetensors >&-"
			[ "$status" -eq 2 ]
			[[ "$output" == *"Bad file descriptor" ]]
		done
	done
	for t in "phi-inspect Phi-4-mini" "phi-diff Phi-4-mini Phi-4-mini" "phi-repack -n -o x.safetensors Phi-4-mini" \
		"phi-repack --help" "phi-quant --version"; do
		run bash -c "$t >/dev/full"
		[ "$status" -eq 2 ]
		[[ "$output" == *": standard output: No space left on device" ]]
		run bash -c "$t >&-"
		[ "$status" -eq 2 ]
		[[ "$output" == *": standard output: Bad file descriptor" ]]
	done
	run bash -c 'phi-repack Phi-4-mini >/dev/full'
	[ "$status" -eq 2 ]
	only_files
}

@test "closed standard input and error do no harm" {
	run bash -c 'phi-inspect <&-'
	[ "$status" -eq 2 ]
	phi-repack Phi-4-mini/model.safetensors -o a.safetensors <&- 2>&-
	cmp a.safetensors Phi-4-mini/model.safetensors
}

@test "binary to a terminal is refused" {
	command -v script >/dev/null || skip "script is not there"
	for t in "phi-repack Phi-4-mini" "phi-quant -t f16 Phi-4-mini" "phi-repack -f gguf -q Phi-4-mini"; do
		run script -qec "$t" /dev/null </dev/null
		[ "$status" -eq 2 ]
		[[ "$output" == *terminal* ]]
		[ "${#output}" -lt 200 ]
	done
	run script -qec "phi-inspect" /dev/null </dev/null
	[ "$status" -eq 2 ]
	[[ "$output" == *"no input"* ]]
}

@test "a reader that leaves kills quietly" {
	for i in 1 2 3; do
		run bash -c 'phi-repack -f safetensors Phi-4-mini/model.safetensors | true; exit ${PIPESTATUS[0]}'
		[ "$status" -eq 141 ]
		[ -z "$output" ]
	done
}

@test "signals leave nothing and are what the tool dies of" {
	for signal in TERM INT HUP; do
		mkfifo in
		# The job waits for the rest of its input: it has begun, and cannot end.
		sh -c 'head -c 100000 Phi-4-mini/model.safetensors; exec sleep 60' >in 3>&- &
		local writer=$!
		# A background job of a shell without job control ignores INT: perl's exec undoes it.
		perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' phi-repack -o a.safetensors in 2>/dev/null &
		local job=$!
		for i in $(seq 400); do
			compgen -G '.a.safetensors.phi-*' >/dev/null && break
			sleep 0.05
		done
		compgen -G '.a.safetensors.phi-*' >/dev/null
		kill -$signal $job
		local status=0
		wait $job || status=$?
		[ "$status" -eq $((128 + $(kill -l $signal))) ]
		kill $writer 2>/dev/null || true
		rm in
		only_files
	done
}

@test "SIGKILL leaves no final name" {
	mkfifo in
	sh -c 'head -c 100000 Phi-4-mini/model.safetensors; exec sleep 60' >in 3>&- &
	local writer=$!
	phi-repack -o a.safetensors in &
	local job=$!
	for i in $(seq 400); do
		compgen -G '.a.safetensors.phi-*' >/dev/null && break
		sleep 0.05
	done
	kill -KILL $job
	wait $job || true
	kill $writer 2>/dev/null || true
	[ ! -e a.safetensors ]
}

@test "a killed stage: no output, and pipefail says so" {
	phi-repack Phi-4-mini >s.tar
	for stage in 1 2 3; do
		set -- cat cat cat
		set -- "${@:1:stage-1}" 'sh -c "head -c 60000; kill -KILL \$\$"' "${@:stage+1}"
		run bash -o pipefail -c "$1 <s.tar | phi-repack | $2 | phi-quant -t q8_0 | $3 | phi-repack -o a.gguf"
		[ "$status" -ne 0 ]
		only_files s.tar
	done
}

@test "inspecting a pipe reads it to its end" {
	phi-repack Phi-4-mini | phi-inspect >a
	phi-repack Phi-4-mini >s.tar
	run bash -c 'head -c 3000000 s.tar | phi-inspect'
	[ "$status" -eq 2 ]
	[ "${#lines[@]}" -eq 1 ]
}

@test "an input cut anywhere is an error" {
	phi-repack Phi-4-mini >s.tar
	phi-repack -q -f gguf Phi-4-mini/model.safetensors >m.gguf
	cp Phi-4-mini/model.safetensors .
	for f in s.tar m.gguf model.safetensors; do
		size=$(stat -c %s $f)
		# What follows the digests of a stream, the zeros that end a tar, may be missing.
		[ $f = s.tar ] && size=$(python3 -c 'import tarfile; m = tarfile.open("s.tar").getmembers()[-1]
print(m.offset_data + m.size)')
		for cut in 0 1 7 8 100 511 512 1000 1536 5000 40000 100000 $((size / 2)) $((size - 1000)) $((size - 1)); do
			for way in "head -c $cut $f |" "head -c $cut $f >c;"; do
				run bash -o pipefail -c "$way phi-repack -q -o out.safetensors $([ "${way: -1}" = ';' ] && echo c)"
				[ "$status" -eq 2 ] || { echo "$f cut at $cut: status $status $output"; return 1; }
				[ "${#lines[@]}" -eq 1 ] || { echo "$f cut at $cut: $output"; return 1; }
				[ ! -e out.safetensors ]
			done
		done
		rm -f c
	done
	only_files s.tar m.gguf model.safetensors
}

@test "a progress bar after a second, on a terminal only" {
	command -v script >/dev/null || skip "script is not there"
	m=Phi-4-mini/model.safetensors
	slow='(head -c 1000000 '$m'; sleep 1.3; tail -c +1000001 '$m')'
	script -qec "$slow | phi-repack -o a.safetensors" /dev/null </dev/null >seen
	grep -q 'phi-repack: \[#*\.*\] *[0-9]*%' seen
	script -qec "$slow | phi-repack -q --force -o a.safetensors" /dev/null </dev/null >seen
	[ ! -s seen ]
	script -qec "phi-repack --force -o a.safetensors $m" /dev/null </dev/null >seen
	[ ! -s seen ]
	bash -c "$slow | phi-repack --force -o a.safetensors" 2>seen
	[ ! -s seen ]
}
