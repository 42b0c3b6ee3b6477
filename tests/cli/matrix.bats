# Every format that can be written, to every other and back, as a file and through a pipe, with one
# thread and with eight: the weights are the same, and so are the bytes.
load common

formats="safetensors hf hf-bin mlx gguf pytorch numpy stream"
any="safetensors hf hf-bin mlx gguf pytorch stream" # those that hold BF16
files="safetensors gguf pytorch stream" # those that are one file, and go through a pipe
declare -gA suffix=([safetensors]=.safetensors [hf]=/ [hf-bin]=-bin/ [mlx]=-mlx/ [gguf]=.gguf [pytorch]=.pt [numpy]=.npz
	[stream]=.tar)

write() # FORMAT FROM TO [OPTION...]
{
	local format=$1 from=$2 to=$3
	shift 3
	phi-repack -q -f "$format" "$@" "$from" -o "$to${suffix[$format]}"
}

sums() # digests of the weights by canonical name do not depend on the container; F32 norms of GGUF do
{
	phi-inspect --sum --json "$1" | jq -r '.tensors[]|.sha256' | sort
}

tensors() # name, type, shape and digest of each tensor
{
	phi-inspect --sum --json "$1" | jq -c '.tensors[]|[.name,.dtype,.shape,.sha256]' | sort
}

@test "the matrix covers every format that can be written" {
	# ONNX is made of ONNX only: below. A decoder is built of Phi models only: onnx_decoder.bats.
	have=$(phi-repack --help | sed -n '/^Formats:/,$p' | awk '/^  [a-z].* write/ && $1 !~ /^onnx/ { print $1 }' | sort | xargs)
	[ "$have" = "$(echo $formats | tr ' ' '\n' | sort | xargs)" ]
}

@test "without a family: tensors untouched by any two steps" {
	safetensors in.safetensors 'b=F32:2x32:'"$(seq -s, 64)" 'a=I32:3:7,8,9' 'c=F64:2:0.5,-2'
	want=$(sums in.safetensors)
	for f in $files numpy; do
		write $f in.safetensors $f
		[ "$(sums $f${suffix[$f]})" = "$want" ]
		for g in $files numpy; do
			write $g $f${suffix[$f]} $f-$g
			[ "$(sums $f-$g${suffix[$g]})" = "$want" ] || { echo "$f to $g"; return 1; }
			phi-diff --brief $f-$g${suffix[$g]} in.safetensors
		done
	done
}

@test "a known model: every step agrees with the source" {
	for f in $any; do
		write $f Phi-4-mini $f
		phi-diff --brief $f${suffix[$f]} Phi-4-mini || { echo "$f"; return 1; }
	done
	# What came from a folder goes anywhere.
	for f in hf hf-bin mlx stream; do
		for g in $any; do
			write $g $f${suffix[$f]} $f-$g --name Phi-4-mini
			phi-diff --brief $f-$g${suffix[$g]} Phi-4-mini || { echo "$f to $g"; return 1; }
		done
	done
	cmp stream-gguf.gguf gguf.gguf
	cmp hf-gguf.gguf gguf.gguf
	cmp stream-stream.tar stream.tar
	cmp hf-safetensors.safetensors safetensors.safetensors
	cmp stream-hf/config.json Phi-4-mini/config.json
}

@test "from any format to any and back: names, types, shapes and bytes of all tensors" {
	# A model as GGUF asks for it: vectors in F32. NumPy has no BF16, and takes part with all in F32.
	phi-repack -q -f gguf Phi-4-mini | write safetensors - 16
	phi-quant -q -t f32 --rule '*=F32' Phi-4-mini -o 32.safetensors
	for start in 16 32; do
		list=$any
		[ $start = 32 ] && list=$formats
		for a in $list; do
			write "$a" $start.safetensors a --name Phi-4-mini
			want=$(tensors "a${suffix[$a]}")
			[ "$(echo "$want" | wc -l)" -ge 14 ]
			for b in $list; do
				write "$b" "a${suffix[$a]}" b --name Phi-4-mini
				write "$a" "b${suffix[$b]}" c --name Phi-4-mini -j8
				[ "$(tensors "c${suffix[$a]}")" = "$want" ] || { echo "$a to $b to $a, from $start"; return 1; }
				rm -r "b${suffix[$b]}" "c${suffix[$a]}"
			done
			rm -r "a${suffix[$a]}"
		done
	done
}

@test "ONNX: one file, weights beside it, a stream, a pipe, and back; to formats without a graph" {
	for f in types graph external quantized; do
		cp "$top/fixtures/small/onnx/$f.onnx" "$top/fixtures/small/onnx/external.bin" .
		want=$(tensors $f.onnx)
		phi-repack -q -j1 $f.onnx -o one.onnx
		phi-repack -q -j8 --external-data one.onnx -o beside.onnx
		phi-repack -q -j8 $f.onnx -f onnx | cmp - one.onnx
		phi-repack -q beside.onnx | phi-repack -q -f onnx | cmp - one.onnx
		cat one.onnx | phi-repack -q -f onnx | cmp - one.onnx
		for g in one beside; do
			[ "$(tensors $g.onnx)" = "$want" ] || { echo "$f to $g"; return 1; }
		done
		rm ./*.onnx*
	done
	cp "$top/fixtures/small/onnx/graph.onnx" .
	for f in $files numpy; do
		write $f graph.onnx out
		[ "$(sums out${suffix[$f]})" = "$(sums graph.onnx)" ] || { echo "to $f"; return 1; }
	done
}

@test "a pipe gives what a file gives, one thread what eight give" {
	for f in $files; do
		write $f Phi-4-mini want -j1
		write $f Phi-4-mini eight -j8
		cmp want${suffix[$f]} eight${suffix[$f]}
		for j in 1 8; do
			phi-repack -q -j$j -f $f Phi-4-mini | cat >out
			cmp out want${suffix[$f]} || { echo "$f -j$j, out"; return 1; }
			for g in $files; do
				phi-repack -q -j$j -f $g want${suffix[$f]} --name Phi-4-mini >a
				cat want${suffix[$f]} | phi-repack -q -j$j -f $g --name Phi-4-mini >b
				cat want${suffix[$f]} | phi-repack -q -j$j -f $g --name Phi-4-mini -o c
				cmp a b && cmp a c || { echo "$f to $g -j$j, in"; return 1; }
				rm a b c
			done
		done
		rm -r want* eight* out
	done
}

@test "what has no BF16 takes F32, and gives it back" {
	phi-quant -q -t f32 --rule '*=F32' Phi-4-mini -o want.npz -j1
	phi-quant -q -t f32 --rule '*=F32' Phi-4-mini -f numpy -o eight -j8
	cmp want.npz eight
	phi-repack Phi-4-mini | phi-quant -q -t f32 --rule '*=F32' -o piped.npz
	cmp want.npz piped.npz
	for g in $formats; do
		cat want.npz | write $g - back --name Phi-4-mini
		phi-diff --brief back${suffix[$g]} want.npz || { echo "$g"; return 1; }
	done
	cmp back.npz want.npz
}

@test "quantizing: one thread and eight, scalar and wide" {
	phi-quant -t q8_0 -j1 Phi-4-mini -o 1.gguf
	phi-quant -t q8_0 -j8 Phi-4-mini -o 8.gguf
	PHI_CPU=scalar phi-quant -t q8_0 Phi-4-mini -o s.gguf
	cmp 1.gguf 8.gguf
	cmp 1.gguf s.gguf
	phi-quant --pure -t q4_0 -j1 Phi-4-mini -o 41.gguf
	PHI_CPU=scalar phi-quant --pure -t q4_0 -j8 Phi-4-mini -o 48.gguf
	cmp 41.gguf 48.gguf
}

@test "umask and locale change nothing but the mode" {
	phi-repack -f stream Phi-4-mini >a
	(umask 077; LC_ALL=C.UTF-8 TZ=Asia/Tokyo phi-repack -f stream Phi-4-mini >b)
	cmp a b
}
