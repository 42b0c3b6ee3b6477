# Edits of keys and names.
load common

# key FILE KEY: its value and kind, or nothing
key()
{
	phi-inspect --json --full "$1" | jq -c --arg k "$2" '.metadata[$k]'
}

whole()
{
	phi-repack -q Phi-4-mini -o a.gguf
}

@test "a key keeps its kind and its place" {
	whole
	phi-repack a.gguf --set phi3.context_length=77 --set general.name=12 \
		--set phi3.attention.layer_norm_rms_epsilon=1 -o b.gguf
	[ "$(key b.gguf phi3.context_length)" = 77 ]
	[ "$(key b.gguf general.name)" = '"12"' ]
	diff <(phi-inspect a.gguf | awk '/^metadata/ { on = 1 } /^tensors/ { exit } on { print $1, $2 }') \
		<(phi-inspect b.gguf | awk '/^metadata/ { on = 1 } /^tensors/ { exit } on { print $1, $2 }')
	phi-repack a.gguf --set general.name="$(key a.gguf general.name | tr -d '"')" -o c.gguf
	cmp a.gguf c.gguf
}

@test "a new key's kind is its value's, or the one named" {
	whole
	phi-repack a.gguf --set a=true --set b=7 --set c=-7 --set d=5000000000 --set e=-5000000000 \
		--set f=18446744073709551615 --set g=0.5 --set h=1e3 --set i=text --set j= --set k=a=b \
		--set l:u8=7 --set m:string=7 --set n:f64=7 --set o:i16[]=1,-2 --set p:string[]=x,,y \
		--set q:u32[]= --set r:s:u32=2 --set s:bool[]=true,false -o b.gguf
	phi-inspect b.gguf | awk '$1 ~ /^[a-z](:s)?$/ { print $1 "=" $2 }' | tr '\n' ' ' >have
	[ "$(cat have)" = "a=bool b=u32 c=i32 d=i64 e=i64 f=u64 g=f32 h=f32 i=string j=string k=string \
l=u8 m=string n=f64 o=array p=array q=array r:s=u32 s=array " ] || { cat have; return 1; }
	phi-inspect b.gguf | has '^  f  .* 18446744073709551615$'
	[ "$(key b.gguf k)" = '"a=b"' ]
	[ "$(key b.gguf o)" = '[1,-2]' ]
	[ "$(key b.gguf p)" = '["x","","y"]' ]
	[ "$(key b.gguf q)" = '[]' ]
	[ "$(key b.gguf s)" = '[true,false]' ]
}

@test "edits go in order" {
	whole
	phi-repack a.gguf --set x=1 --unset x --set x=2 --unset 'tokenizer.*' --set tokenizer.y=1 -o b.gguf
	[ "$(key b.gguf x)" = 2 ]
	[ "$(phi-inspect b.gguf | grep -c '^  tokenizer')" = 1 ]
}

@test "a template from a file" {
	whole
	printf 'a\n"b" \303\244' >template
	phi-repack a.gguf --set-file tokenizer.chat_template=template -o b.gguf
	[ "$(key b.gguf tokenizer.chat_template)" = '"a\n\"b\" ä"' ]
}

@test "an alignment is carried out" {
	whole
	phi-repack a.gguf --set general.alignment=256 -o b.gguf
	phi-inspect --json b.gguf | jq -e '[.tensors[].offset % 256] | add == 0'
	phi-diff a.gguf b.gguf
}

@test "renaming" {
	whole
	phi-repack a.gguf --rename 's/^blk\.([0-9]+)\.(.*)$/\2-\1/' --rename 's|t|/|g' --rename 's/-(.)/-&\&\1/' -o b.gguf
	phi-inspect --json b.gguf | jq -r '.tensors[].name' >have
	grep -qxF 'a//n_qkv.weigh/--1&1' have
	grep -qx '/oken_embd.weigh/' have
	phi-repack -q Phi-4-mini --rename 's/^model\.//' -o c.safetensors
	phi-inspect --json c.safetensors | jq -e '.tensors | any(.name == "layers.0.mlp.down_proj.weight")'
}

@test "strings of safetensors" {
	safetensors a.safetensors x=F32:2:1,2
	phi-repack a.safetensors --set n=12 --set t=true -o b.safetensors
	[ "$(key b.safetensors n)" = '"12"' ]
	fails 2 "phi-repack: --set n:u32=12: n: safetensors holds strings only" \
		phi-repack a.safetensors --set n:u32=12 -o c.safetensors
	whole
	phi-repack -q a.gguf --set n=12 -o d.safetensors
	[ "$(key d.safetensors n)" = '"12"' ]
	fails 2 "phi-repack: --set vocab_size=1: vocab_size: the keys are those of config.json, which stays as it is; edit that file, or write a GGUF" \
		phi-repack Phi-4-mini --set vocab_size=1 -o e/
}

@test "what makes no sense is refused" {
	whole
	refused() { fails 2 "phi-repack: $1" phi-repack a.gguf "${@:2}" -o b.gguf; }
	refused "--set phi3.context_length=-1: phi3.context_length: -1 is no u32" --set phi3.context_length=-1
	refused "--set phi3.context_length=4294967296: phi3.context_length: 4294967296 is no u32" \
		--set phi3.context_length=4294967296
	refused "--set x:i8=-129: x: -129 is no i8" --set x:i8=-129
	refused "--set x:f32=1e39: x: 1e39 is no f32" --set x:f32=1e39
	refused "--set x:f32=0x1: x: 0x1 is no f32" --set x:f32=0x1
	refused "--set x:bool=1: x: 1 is no bool" --set x:bool=1
	refused "--set x:u8[]=1,: x: element 1:  is no u8" --set x:u8[]=1,
	refused "--set x:u33=1: x:u33: there is no kind u33; a key with a colon ends in :string" --set x:u33=1
	refused "--set a: KEY=VALUE is expected" --set a
	refused "--set =1: an empty key" --set =1
	refused "--set-file a: KEY=PATH is expected" --set-file a
	refused "--set-file a=nofile: nofile: No such file or directory" --set-file a=nofile
	refused "--unset b: there is no such key" --unset b
	refused "--rename s/x: s/REGEX/TEXT/ is expected" --rename s/x
	refused "--rename s/x/y/i: s/REGEX/TEXT/ is expected" --rename s/x/y/i
	refused "--rename s/(/x/: (: Unmatched ( or \\(" --rename 's/(/x/'
	refused "--rename s/blk.0/blk.1/: two tensors would be named blk.1.attn_norm.weight" \
		--rename s/blk.0/blk.1/
	refused "--rename s/.*//: tensor rope_factors_long.weight would have no name" --rename 's/.*//'
	refused "--rename s/nope/x/: it fits no tensor's name" --rename s/nope/x/
	only_files a.gguf
}
