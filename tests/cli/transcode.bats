# --lossless and --keep-codes: quantized weights between GGUF, MLX and ONNX without quantizing anew.
load common

types() {
	phi-inspect --json "$1" | jq -r '.tensors[].dtype' | sort -u | xargs
}

@test "--lossless: a GGUF's codes go into an MLX folder and come back, no value changes" {
	while read -r recipe mlx back; do
		phi-quant -q --pure -t "$recipe" Phi-4-mini -o a.gguf
		phi-repack -q --lossless a.gguf -f mlx -o a-mlx
		[ "$(types a-mlx)" = "F32 $mlx" ]
		phi-diff a.gguf a-mlx
		phi-repack -q --lossless a-mlx -f gguf -o b.gguf
		[ "$(types b.gguf)" = "F32 $back" ]
		phi-diff a.gguf b.gguf
		rm -r a.gguf a-mlx b.gguf
	done <<-'E'
		q4_0 MLX4_G32_F16 Q4_1
		q4_1 MLX4_G32_F16 Q4_1
		q5_0 MLX5_G32_F16 Q5_1
		q8_0 MLX8_G32_F16 Q8_0
		mxfp4 MLX_MXFP4 MXFP4
	E
}

@test "--lossless: Q4_0 is made of what was Q4_0, where it is asked for" {
	phi-quant -q --pure -t q4_0 Phi-4-mini -o a.gguf
	phi-repack -q --lossless a.gguf -f mlx -o a-mlx
	phi-quant -q --lossless --rule '*.weight=q4_0' a-mlx -o b.gguf
	[ "$(types b.gguf)" = "F32 Q4_0" ]
	phi-diff a.gguf b.gguf
}

@test "--lossless: MLX's own groups of 64 become Q4_1; what Q8_0 cannot say is refused, tensor and block named" {
	phi-quant -q -t mlx:4 Phi-4-mini -o four -f mlx
	phi-repack -q --lossless four -f gguf -o four.gguf
	[ "$(types four.gguf)" = "F32 Q4_1" ]
	phi-diff four four.gguf
	phi-quant -q -t mlx:8 Phi-4-mini -o eight -f mlx
	run phi-repack -q --lossless eight -f gguf -o eight.gguf
	[ "$status" -eq 2 ]
	[[ $output == *"tensor "*": block "*" of MLX8_G64_BF16 (from element "*") has other values as Q8_0" ]]
	[ ! -e eight.gguf ]
	phi-quant -q --pure -t q4_k Phi-4-mini -o k.gguf
	run phi-repack -q --lossless k.gguf -f mlx -o k-mlx
	[ "$status" -eq 2 ]
	[ ! -e k-mlx ]
}

@test "--keep-codes says how far scales were rounded" {
	phi-quant -q -t mlx:4 Phi-4-mini -o four -f mlx
	run phi-repack --keep-codes four -f gguf -o four.gguf
	[ "$status" -eq 0 ]
	[[ $output == *"scales rounded by 0 units in the last place at most"* ]]
	run phi-repack -q --keep-codes four -f gguf -o quiet.gguf
	[ -z "$output" ]
	run phi-repack --lossless --keep-codes four -f gguf -o x.gguf
	[ "$status" -eq 2 ]
	[[ $output == *"exclude each other"* ]]
}

@test "a plan shows what becomes of each, in a pipe nothing changes" {
	phi-quant -q --pure -t q8_0 Phi-4-mini -o a.gguf
	phi-repack -q -n --lossless a.gguf -f mlx -o m | has 'Q8_0 -> MLX8_G32_F16'
	phi-repack -q --lossless a.gguf -f mlx -o direct
	phi-repack -q a.gguf | phi-repack -q --lossless -f mlx --name direct -o piped
	phi-diff direct piped
}

@test "--lossless: a GGUF's codes go into a decoder for ONNX, other numbers as F32" {
	phi-quant -q -t q4_0 Phi-4-mini -o a.gguf
	phi-repack -q -n --lossless a.gguf -f onnx -o a-onnx/ | has 'Q4_0 -> ONNX4_G32_F32'
	phi-repack -q -n --lossless a.gguf -f onnx -o a-onnx/ | has 'Q6_K -> F32'
	phi-repack -q --lossless a.gguf -f onnx -o a-onnx/
	[ "$(phi-inspect --json a-onnx/model.onnx | jq -r '.tensors[].dtype | select(startswith("ONNX"))' | uniq -c | xargs)" \
		= "14 ONNX4_G32_F32" ]
	run phi-repack --lossless a.gguf -f onnx --for cuda -o half-onnx/
	[ "$status" -eq 2 ] # Q6_K as F16
	phi-quant -q --pure -t q8_0 Phi-4-mini -o b.gguf
	phi-repack -q -n --lossless b.gguf -f onnx --for cuda -o b-onnx/ | has 'Q8_0 -> ONNX8_G32_F16'
	phi-repack -q --lossless b.gguf -f onnx --for cuda -o b-onnx/
	phi-repack -q --keep-codes a.gguf -f onnx -o kept-onnx/
	cmp a-onnx/model.onnx.data kept-onnx/model.onnx.data
}

@test "--keep-codes: a low becomes a zero point that is a number, and a low again" {
	phi-quant -q --pure -t q4_1 Phi-4-mini -o a.gguf
	run phi-repack -q --lossless a.gguf -f onnx -o a-onnx/
	[ "$status" -eq 2 ]
	[[ $output == *"of Q4_1 (from element "*") has other values as ONNX4F_G32_F32" ]]
	phi-repack --keep-codes a.gguf -f onnx -o a-onnx/ 2>&1 | has 'scales rounded by 0.5 units in the last place at most'
	[ "$(types a-onnx)" = "F32 ONNX4F_G32_F32" ]
	phi-quant -q -t mlx:4 Phi-4-mini -f mlx -o four
	phi-repack -q --keep-codes four -f onnx -o four-onnx/
	[ "$(types four-onnx)" = "F32 ONNX4F_G64_F32" ]
	phi-repack -q --keep-codes a-onnx -f gguf -o b.gguf
	[[ $(types b.gguf) == *Q4_1 ]]
	phi-diff -q --tolerance max=0.001 a.gguf b.gguf
}

@test "--lossless: a decoder for ONNX becomes a GGUF or an MLX folder with the codes it has" {
	while read -r recipe type mlx; do
		phi-quant -q --pure -t "$recipe" Phi-4-mini -o a.gguf
		phi-repack -q --lossless a.gguf -f onnx -o a-onnx/
		[[ $(types a-onnx) == "F32 $type" ]]
		phi-diff a.gguf a-onnx
		phi-repack -q --lossless a-onnx -f gguf -o b.gguf
		phi-diff a.gguf b.gguf
		[ "$(types b.gguf)" = "$(types a.gguf)" ]
		phi-repack -q --lossless a-onnx -f mlx -o a-mlx
		[ "$(types a-mlx)" = "F32 $mlx" ]
		phi-diff a.gguf a-mlx
		rm -r a.gguf b.gguf a-onnx a-mlx
	done <<-'E'
		q4_0 ONNX4_G32_F32 MLX4_G32_F32
		q8_0 ONNX8_G32_F32 MLX8_G32_F32
	E
}
