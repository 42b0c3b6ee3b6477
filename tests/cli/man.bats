# The man pages say what the tools do: lint, options, examples.
load common

@test "the pages are correct mdoc" {
	command -v mandoc >/dev/null || skip "mandoc is not there"
	# Pages refer to each other, which mandoc looks up in the system.
	bad=$(for p in "$top"/man/*.[1-9]; do mandoc -T lint "$p"; done | grep -vE 'referenced manual not found|outdated mandoc.db' || true)
	echo "$bad"
	[ -z "$bad" ]
}

@test "every page that is referred to is there" {
	while read -r name section; do
		[ -e "$top/man/$name.$section" ] || { echo "no $name.$section"; return 1; }
	done < <(sed -n 's/^\.Xr \(phi-[a-z]*\) \([0-9]\).*/\1 \2/p' "$top"/man/*.[1-9] | sort -u)
}

@test "every option has its entry, and every entry its option" {
	for t in $tools; do
		# "-o, --output FILE" of --help and ".It Fl o , Fl -output Ar FILE" of the page, both as "o output FILE".
		$t --help | sed -nE 's/^  (-(.),|   ) --([a-z-]+) ?([A-Z=]*) .*/\2 \3 \4/p' | sort >help
		sed -nE '/^\.Sh DESCRIPTION/,/^\.Sh (ENV|EXIT|JSON)/s/^\.It Fl ((.) , Fl )?-([a-z-]+)( Ar (.*))?$/\2 \3 \5/p' \
			"$top/man/$t.1" | sed 's/ Ns = Ns Ar /=/' | sort >page
		[ -s help ]
		diff help page || { echo "$t"; return 1; }
	done
}

# "NAME ELEMENTS CLASS BYTES" of every number type, as the compiler reads the list.
types() {
	gcc -E -P -xc -I"$top" -D'TYPE(id, n, size, kind, ggml)=@ id n kind size@' - <<<'#include "formats/core/types.def"' |
		tr @ '\n' | while read -r name elements class bytes; do
			[ -z "$name" ] || echo "$name" $((elements)) "$class" $((bytes))
		done
}

@test "every number type has its line" {
	while read -r name elements class bytes; do
		if [[ $name == @(MLX|ONNX)?*_G*_F32 ]]; then
			line="^\.It ${name%_*} Ta $elements Ta $bytes Ta [0-9]+ Ta [0-9.]+\$"
		elif [[ $name == @(MLX|ONNX)?*_G* ]]; then
			line="^\.It ${name%_*} Ta $elements Ta [0-9]+ Ta $bytes Ta [0-9.]+\$"
		elif [ "$class" = BLOCK ]; then
			line="^\.It $name Ta $elements Ta $bytes Ta [0-9.]+\$"
		else
			line="^\.It $name Ta $bytes Ta |$name.* pack "
		fi
		grep -qE "$line" "$top/man/phi-types.7" || { echo "$name"; return 1; }
	done < <(types)
}

@test "the types that --help calls made can be made, no others" {
	safetensors a.safetensors 'w.weight=F32:1x1024:'"$(seq -s, 1024)"
	made=" $(phi-quant --help | sed -n '/^Types/,/^$/p' | tail -n +2 | xargs) "
	while read -r name _; do
		says=no does=no to=x.gguf
		[[ $name != @(MLX|ONNX)* ]] || to=x.tar
		[[ $made == *" $name "* ]] && says=yes
		phi-quant -n -q --pure -t "$name" a.safetensors -o $to >/dev/null 2>&1 && does=yes
		[ $says = $does ] || { echo "$name: says $says, does $does"; return 1; }
	done < <(types)
}

@test "every recipe is named" {
	while read -r name; do
		grep -qE "^\.It Cm (.*, )?$name( ,|$)|^\.It Cm .*[ ,]$name( |$)" "$top/man/phi-quant.1" || { echo "$name"; return 1; }
	done < <(phi-quant --help | sed -n '/^Recipes/,/^$/s/^  \([a-z0-9_]*\) .*/\1/p')
}

@test "the examples run" {
	ssh() { shift; "$@"; }
	# A file that is there before the first example.
	phi-quant -t q8_0 Phi-4-mini -o "$BATS_TEST_TMPDIR/phi.gguf"
	for page in "$top"/man/*.[1-9]; do
		rm -rf work && mkdir work && cp -r Phi-4-mini work
		cp phi.gguf work
		while read -r command; do
			local status=0
			(cd work && eval "$command") >log 2>&1 || status=$?
			# phi-diff says 1 where models differ.
			[[ $status -eq 0 || ($status -eq 1 && $command == phi-diff*) ]] ||
				{ echo "${page##*/}: $command: $status"; cat log; return 1; }
		done < <(awk '/^\.Bd -literal/ { on = 1 } /^\.Ed/ { on = 0 } on' "$page" | sed -n 's/^\$ //p; s/\\e/\\/g')
	done
}
