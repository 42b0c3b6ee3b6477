# phi-quant --search: lower error in the same format.
load common

# Root mean square error of each tensor that differs, "name rmse" a line.
errors() {
	(phi-diff --json Phi-4-mini "$1" || [ $? -eq 1 ]) | jq -r '.tensors[] | select(.rmse > 0) | "\(.name) \(.rmse)"' | sort
}

@test "no tensor is worse, the size is the same, the types are" {
	for t in q4_0 q8_0 q4_k q6_k iq4_nl mxfp4; do
		phi-quant --pure -t $t Phi-4-mini -o plain.gguf
		phi-quant --search --pure -t $t Phi-4-mini -o searched.gguf
		[ "$(stat -c %s plain.gguf)" = "$(stat -c %s searched.gguf)" ]
		[ "$(phi-inspect --json plain.gguf | jq -c '[.tensors[] | [.name, .dtype]]')" = \
			"$(phi-inspect --json searched.gguf | jq -c '[.tensors[] | [.name, .dtype]]')" ]
		join <(errors plain.gguf) <(errors searched.gguf) >both
		awk '$3 > $2 { exit 1 } $3 < $2 { n++ } END { exit n == 0 }' both || { echo $t; cat both; return 1; }
		rm plain.gguf searched.gguf
	done
}

@test "a search does the same in a pipe, with any number of threads" {
	phi-quant --search -t q4_0 -j1 Phi-4-mini -o want.gguf
	phi-quant --search -t q4_0 -j8 Phi-4-mini -o threads.gguf
	phi-repack Phi-4-mini | phi-quant --search -t q4_0 | phi-repack -o piped.gguf
	cmp want.gguf threads.gguf
	cmp want.gguf piped.gguf
	phi-quant -t q4_0 Phi-4-mini -o plain.gguf
	! cmp -s want.gguf plain.gguf
}

@test "--report with importance: as phi-diff --imatrix weighs it, and a search makes it better" {
	imatrix i.dat blk.{0,1}.attn_qkv.weight:256 blk.0.ffn_down.weight:768
	phi-quant -q --report --json --imatrix i.dat -t q4_k_m Phi-4-mini -o a.gguf >a.json
	phi-quant -q --report --json --imatrix i.dat --search -t q4_k_m Phi-4-mini -o b.gguf >b.json
	phi-diff --json --imatrix i.dat Phi-4-mini a.gguf >d.json || [ $? -eq 1 ]
	round='.tensors[] | select(.weighted_sqnr) | .weighted_sqnr * 1e6 | round'
	jq "$round" a.json | sort -n >reported
	[ "$(wc -l <reported)" = 3 ]
	jq "$round" d.json | sort -n | diff reported -
	jq -n --slurpfile a a.json --slurpfile b b.json -e '[$a[0].tensors, $b[0].tensors] | transpose |
		map(select(.[0].weighted_sqnr)) | all(.[1].weighted_sqnr > .[0].weighted_sqnr)'
	phi-quant --report --imatrix i.dat -t q4_k_m Phi-4-mini -o c.gguf 2>/dev/null | has 'weighted dB'
}

@test "--report: what was lost, as phi-diff finds it" {
	phi-quant --report --json -t q4_k_m Phi-4-mini -o a.gguf >report.json
	# Name, type and size are the file's.
	jq -r '.tensors[] | "\(.name) \(.dtype) \(.nbytes)"' report.json | sort >reported
	phi-inspect --json a.gguf | jq -r '.tensors[] | "\(.name) \(.dtype) \(.nbytes)"' | sort >there
	cmp reported there
	# The errors of all that differ are phi-diff's, to six digits.
	jq -r '.tensors[] | select(.rmse > 0) | .rmse * 1e9 | round' report.json | sort -n >a
	errors a.gguf | awk '{ printf "%.0f\n", $2 * 1e9 }' | sort -n >b
	[ -s a ]
	cmp a b
	phi-quant --report --json -j1 -t q4_k_m Phi-4-mini -o b.gguf >again.json
	cmp report.json again.json
	phi-repack Phi-4-mini | phi-quant -q --report --json -t q4_k_m -f gguf 2>piped.json >/dev/null
	cmp report.json piped.json
	phi-quant --report -t f32 Phi-4-mini -o c.gguf | tail -n 1 | grep -q 'nothing lost'
}
