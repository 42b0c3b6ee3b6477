# --help, --version, and what is refused on the command line.
load common

@test "help lists the options, on standard output" {
	for t in $tools; do
		$t --help | sed '/^Recipes:$/,$d; /^Formats:$/,$d' | golden "$t.help"
		[ "$($t -h)" = "$($t --help)" ]
	done
}

@test "help lists every format and recipe" {
	for f in gguf safetensors hf stream; do
		phi-repack --help | has "^  $f  *[rw]"
	done
	phi-quant --help | has '^  q8_0 '
}

@test "version" {
	for t in $tools; do
		[ "$($t --version)" = "$t (Phi Tools) 0.1.0" ]
		[ "$($t -V)" = "$t (Phi Tools) 0.1.0" ]
		$t -V -v | has '^kernels: '
		$t -V -v | has '^sandbox: '
	done
	PHI_CPU=scalar phi-quant -V -v | has -x 'kernels: scalar'
}

@test "unknown options and missing arguments" {
	for t in $tools; do
		fails 2 "$t: unknown option --bogus (see --help)" $t --bogus
		fails 2 "$t: unknown option -Z (see --help)" $t -Z
		fails 2 "$t: option -o needs an argument (see --help)" $t -o
		fails 2 "$t: option --only needs an argument (see --help)" $t --only
	done
	fails 2 "phi-inspect: unknown option -n (see --help)" phi-inspect -n
	fails 2 "phi-repack: unknown option -t (see --help)" phi-repack -t q8_0
}

@test "numbers, sizes and words" {
	for bad in 0 x -1 1.5 2000; do
		fails 2 "phi-repack: --jobs $bad: a number from 1 to 1024 is expected" phi-repack -j $bad
	done
	for bad in 0 12X 5MB K 99999999999999999999 18446744073709551615K; do
		fails 2 "phi-repack: --memory $bad: a size is expected: a number, or one with K, M or G" \
			phi-repack --memory $bad
	done
	fails 2 "phi-quant: --on-overflow wrap: fail, clamp or keep is expected" \
		phi-quant --on-overflow wrap
	fails 2 "phi-diff: --color blue: auto, always or never is expected" phi-diff --color blue
	fails 2 "phi-diff: --tolerance max: max=X, rmse=X, rel=X or sqnr=X with X of 0 or more is expected" \
		phi-diff --tolerance rmse=1,max
	fails 2 "phi-diff: --tolerance max=-1: max=X, rmse=X, rel=X or sqnr=X with X of 0 or more is expected" \
		phi-diff --tolerance max=-1
	fails 2 "phi-quant: --rule x=Q9: there is no such type" phi-quant --rule x=Q9
	fails 2 "phi-quant: --rule Q8_0: GLOB=TYPE is expected" phi-quant --rule Q8_0
}

@test "operands" {
	fails 2 "phi-quant: too many operands (see --help)" phi-quant a b
	fails 2 "phi-diff: two models are needed (see --help)" phi-diff
	fails 2 "phi-quant: nothing to do: give -t RECIPE or --rule (see --help)" phi-quant Phi-4-mini
	fails 2 "phi-quant: --pure needs -t TYPE" phi-quant --pure --rule '*=F16' Phi-4-mini
	for t in phi-inspect phi-repack; do
		fails 2 "$t: nofile: No such file or directory" $t nofile
	done
}

@test "formats of the output" {
	fails 2 "phi-repack: out.foo: the suffix names no format; name one with -f (see --help)" \
		phi-repack -o out.foo Phi-4-mini
	fails 2 "phi-repack: there is no format foo (see --help)" phi-repack -f foo Phi-4-mini
	fails 2 "phi-repack: hf cannot be written to a pipe; name the output with -o" \
		phi-repack -f hf Phi-4-mini
	fails 2 "phi-repack: -z compresses the stream only, not gguf" \
		phi-repack -z -o out.gguf Phi-4-mini
	fails 2 "phi-inspect: one of -f, --json, --jsonl and --csv is enough" phi-inspect --json --csv Phi-4-mini
	fails 2 "phi-inspect: one of --check, --quick, --scan, --layout and --graph at a time" phi-inspect --check --quick Phi-4-mini
	fails 2 "phi-inspect: --quick prints names and nothing else" phi-inspect --json --quick Phi-4-mini
	fails 2 "phi-diff: --blocks: at most 64" phi-diff --blocks 65 Phi-4-mini Phi-4-mini
	fails 2 "phi-diff: --metadata looks at no weights: not with --tensors, --blocks, --heatmap, --stats" \
		phi-diff --metadata --stats Phi-4-mini Phi-4-mini
	fails 2 "phi-inspect: there is no format gguf: text, json, jsonl or csv" phi-inspect -f gguf Phi-4-mini
	fails 2 "phi-quant: -t mlx:q8_0 does not go into a gguf output" \
		phi-quant -t mlx:q8_0 -o out.gguf Phi-4-mini
	only_files
}

@test "README's table of formats is what the tools say" {
	phi-repack --help | sed -n '/^Formats:/,/^$/p' | sed -nE 's/^  ([a-z-]+) +(read|write|read, write)  +.*/\1 \2/p' |
		awk '{ print $1, /read/ ? "yes" : "no", /write/ ? "yes" : "no" }' | sort >have
	sed -nE 's/^\| `([a-z-]+)` \| (yes|no) \| (yes|no) \|.*/\1 \2 \3/p' "$top/README.md" | sort >want
	[ -s have ]
	diff have want
}
