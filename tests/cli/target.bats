# phi-quant --target-size and --target-bpw: types by measured error, under a budget.
load common

bytes_of() { stat -c %s "$1"; }

@test "the file is under its size, and no tensor could be made larger" {
	for size in 640000 900000 1000000 1500000; do
		phi-quant -q --target-size $size Phi-4-mini -o a.gguf --write-recipe a.json
		have=$(bytes_of a.gguf)
		[ "$have" -le $size ]
		# A step up of any one tensor, by a rule that wins, goes beyond.
		while read -r name type; do
			case $type in
			Q2_K) next=Q3_K ;; Q3_K) next=IQ4_XS ;; IQ4_XS) next=Q4_K ;; Q4_K) next=Q5_K ;;
			Q5_K) next=Q6_K ;; Q6_K) next=Q8_0 ;; Q8_0) next=BF16 ;; *) continue ;;
			esac
			phi-quant -q --recipe a.json --rule "$name=$next" Phi-4-mini -o b.gguf --force
			[ "$(bytes_of b.gguf)" -gt $size ] || { echo "$size: $name could be $next"; return 1; }
		done < <(phi-inspect --json a.gguf | jq -r '.tensors[] | "\(.name) \(.dtype)"')
		rm a.gguf a.json b.gguf
	done
}

@test "less error than one type for all of the same size" {
	phi-quant -q --pure -t q4_k Phi-4-mini -o one.gguf
	phi-quant -q --target-size "$(bytes_of one.gguf)" --report --json Phi-4-mini -o aimed.gguf >aimed.json
	phi-quant -q --pure -t q4_k --report --json Phi-4-mini -o again.gguf >one.json
	noise='[.tensors[] | select(.sqnr) | pow(10; -.sqnr / 10) * .nbytes] | add'
	[ "$(jq "$noise" aimed.json | cut -c1-8)" \< "$(jq "$noise" one.json | cut -c1-8)" ] ||
		{ jq "$noise" aimed.json one.json; return 1; }
}

@test "the recipe it writes makes the same file; so do pipes and threads" {
	phi-quant -q --target-size 1000K Phi-4-mini -o want.gguf --write-recipe r.json
	phi-quant -q --recipe r.json Phi-4-mini -o a.gguf
	cmp want.gguf a.gguf
	phi-quant -q -j1 --target-size 1000K Phi-4-mini -o b.gguf
	cmp want.gguf b.gguf
	phi-repack Phi-4-mini | phi-quant -q --target-size 1000K | phi-repack -o c.gguf
	cmp want.gguf c.gguf
}

@test "bits a weight, rules that win, what cannot be" {
	phi-quant -q --target-bpw 4.5 Phi-4-mini -o a.gguf
	phi-inspect --json a.gguf | jq -e '([.tensors[].nbytes] | add) * 8 <=
		4.5 * ([.tensors[] | .shape | reduce .[] as $n (1; . * $n)] | add)'
	phi-quant -q --target-bpw 6 --rule '*attn_qkv*=Q8_0' --keep '*embed*' Phi-4-mini -o b.gguf
	[ "$(phi-inspect --json b.gguf | jq -r '[.tensors[] | select(.name | test("qkv")) | .dtype] | unique[]')" = Q8_0 ]
	fails 2 "phi-quant: the smallest types make 614976 bytes (2.647 bits a weight), more than the 102400 asked for" \
		phi-quant -q --target-size 100K Phi-4-mini -o c.gguf
	fails 2 "phi-quant: --target-size and --target-bpw choose the types: no -t with them" \
		phi-quant -t q4_0 --target-size 1M Phi-4-mini -o c.gguf
	fails 2 "phi-quant: --target-size and --target-bpw are for GGUF, not safetensors" \
		phi-quant --target-size 1M Phi-4-mini -o c.safetensors
	[ ! -e c.gguf ]
}

@test "importance of some tensors: the others get no type that needs it" {
	imatrix part.dat blk.0.attn_qkv.weight:256 blk.0.ffn_up.weight:256
	phi-quant -q --target-size 600000 --imatrix part.dat Phi-4-mini -o a.gguf --write-recipe r.json
	[ "$(bytes_of a.gguf)" -le 600000 ]
	phi-inspect --json a.gguf | jq -r '.tensors[] | select(.dtype | test("IQ[123]")) | .name' >low
	[ -s low ]
	! grep -v -e blk.0.attn_qkv.weight -e blk.0.ffn_up.weight low
	phi-quant -q --recipe r.json --imatrix part.dat Phi-4-mini -o b.gguf
	cmp a.gguf b.gguf
}

@test "any alignment, and weights in F16, which stay as they are where there is room" {
	phi-quant -q -t f16 Phi-4-mini -o half.gguf
	phi-repack half.gguf --set general.alignment=4096 -o wide.gguf
	phi-quant -q --target-size 900000 wide.gguf -o a.gguf
	have=$(bytes_of a.gguf)
	[ "$have" -le 900000 ]
	phi-quant -q --target-size "$have" wide.gguf -o b.gguf
	cmp a.gguf b.gguf
	phi-quant -q --target-size 1G half.gguf -o c.gguf
	phi-inspect --json c.gguf | jq -e '[.tensors[].dtype] | any(. == "F16") and all(. != "BF16")'
}
