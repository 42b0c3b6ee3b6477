# Completions for bash, zsh and fish: made of the same tables as --help.
load common

# complete_words WORD...: what bash offers for the last word.
complete_words()
{
	(
		. "$PHI_BUILD/share/bash-completion/completions/$1"
		compopt() { :; }
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		"_$1"
		printf '%s\n' "${COMPREPLY[@]}"
	)
}

@test "each shell reads them" {
	for t in $tools; do
		bash -n "$PHI_BUILD/share/bash-completion/completions/$t"
	done
	command -v zsh >/dev/null || skip "zsh is not there"
	for t in $tools; do
		zsh -n "$PHI_BUILD/share/zsh/site-functions/_$t"
	done
	command -v fish >/dev/null || skip "fish is not there"
	for t in $tools; do
		fish --no-execute "$PHI_BUILD/share/fish/vendor_completions.d/$t.fish"
	done
}

@test "they have every option, and no other" {
	for t in $tools; do
		$t --help | sed -nE '/^Options:/,/^$/s/^  (-.,|   ) --([a-z-]+) .*/\2/p' | sort >want
		[ -s want ]
		complete_words $t -- | sed 's/^--//' | sort | diff want -
		sed -nE 's/^	.*--([a-z-]+)=?(\}.)?\[.*/\1/p' "$PHI_BUILD/share/zsh/site-functions/_$t" | sort | diff want -
		sed -nE 's/^complete .* -l ([a-z-]+) .*/\1/p' "$PHI_BUILD/share/fish/vendor_completions.d/$t.fish" | sort | diff want -
	done
}

@test "bash: words and files" {
	touch 'a file' model.gguf
	[ "$(complete_words phi-quant -t q8)" = q8_0 ]
	[ "$(complete_words phi-quant --type = q8)" = q8_0 ]
	[ "$(complete_words phi-diff --color =)" = $'auto\nalways\nnever' ]
	[ "$(complete_words phi-repack -f gg)" = gguf ]
	[ "$(complete_words phi-inspect -f j)" = $'json\njsonl' ]
	[ "$(complete_words phi-inspect --st)" = --stats ]
	[ "$(complete_words phi-inspect 'a')" = 'a file' ]
	[ "$(complete_words phi-repack model.gguf -o mod)" = model.gguf ]
	[ -z "$(complete_words phi-inspect --only x)" ]
}

@test "what is offered is taken" {
	for t in $tools; do
		while read -r option; do
			for word in $(complete_words $t "$option" ''); do
				[ -e "$word" ] || $t "$option" "$word" --version >/dev/null || { echo "$t $option $word"; return 1; }
			done
		done < <(complete_words $t --)
	done
}

@test "fish offers them" {
	command -v fish >/dev/null || skip "fish is not there"
	offers() { HOME=$PWD fish -c "source $PHI_BUILD/share/fish/vendor_completions.d/$1.fish; complete -C '$2'" | cut -f1; }
	[ "$(offers phi-inspect 'phi-inspect --sta')" = --stats ]
	[ "$(offers phi-quant 'phi-quant -t q8')" = q8_0 ]
	[ "$(offers phi-diff 'phi-diff --color al')" = always ]
}

@test "zsh offers them" {
	command -v zsh >/dev/null || skip "zsh is not there"
	# The words that _arguments is given, by a stub of it.
	zsh -fc "_arguments() { print -rl -- \"\$@\" }; . $PHI_BUILD/share/zsh/site-functions/_phi-diff" >said
	grep -qxF -e '(-o --output)--output=[write to FILE, not to standard output]:FILE:_files' said
	grep -qxF -e '--color=[auto, always or never]:WHEN:(auto always never)' said
	grep -qxF -e '*--only=[take only tensors that match GLOB; may be repeated]:GLOB:' said
}
