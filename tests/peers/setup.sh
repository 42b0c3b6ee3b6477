#!/usr/bin/env bash
# Installs the pinned peers into $PHI_PEERS, else build/peers:
#
#   venv/        Python with the reference libraries of requirements.txt
#   llama/       libllama, libggml and the CPU kernels as published in the npm package (used through ctypes)
#   llama.cpp/   convert_hf_to_gguf.py with what it imports, and vocabularies of real models, out of the
#                source package of llama-cpp-python
#
# Each part names its pins in a file `pins` and is made anew when they change; `stamp` says that all
# are there. Quiet; what goes wrong is shown on stderr.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
peers=${PHI_PEERS:-$here/../../build/peers}
npm_pin=@node-llama-cpp/linux-x64@3.22.1
sdist_pin=llama-cpp-python==0.3.36
sdist_members=(convert_hf_to_gguf.py 'conversion/*' 'gguf-py/*' 'include/*' 'ggml/include/*'
	models/ggml-vocab-{phi-3,gpt-2,llama-spm,bert-bge}.gguf)

fail() {
	echo "tests/peers/setup.sh: $1" >&2
	[ ! -s "${log:-}" ] || tail -n 15 "$log" >&2
	exit 1
}

# is PART PINS: whether the part is there and made from these pins.
is() {
	[ "$(cat "$peers/$1/pins" 2>/dev/null || true)" = "$2" ]
}

make_venv() {
	python3 -m venv "$1" >"$log" 2>&1 || fail "python3 -m venv fails (Debian: python3-venv)"
	"$1/bin/python" -m pip --disable-pip-version-check -q install -r "$here/requirements.txt" >"$log" 2>&1 ||
		fail "pip cannot install requirements.txt"
}

make_llama() {
	(cd "$work" && npm pack --silent "$npm_pin") >"$log" 2>&1 || fail "npm cannot fetch $npm_pin"
	mkdir "$1"
	tar -xzf "$work"/node-llama-cpp-*.tgz -C "$1" --strip-components=3 --wildcards '*/linux-x64/*.so' \
		>"$log" 2>&1 || fail "$npm_pin is not laid out as expected"
}

make_converter() {
	"$peers/venv/bin/python" -m pip --disable-pip-version-check -q download --no-deps \
		--no-binary llama-cpp-python "$sdist_pin" -d "$work" >"$log" 2>&1 ||
		fail "pip cannot fetch the source of $sdist_pin"
	mkdir "$1"
	tar -xzf "$work"/llama_cpp_python-*.tar.gz -C "$1" --strip-components=3 --wildcards \
		"${sdist_members[@]/#/*/vendor/llama.cpp/}" >"$log" 2>&1 ||
		fail "$sdist_pin is not laid out as expected"
}

# part NAME PINS MAKE: makes a part unless it is there, aside and then put in place (a venv cannot be moved).
part() {
	is "$1" "$2" && return
	local aside=$work/$1
	[ "$1" != venv ] || { aside=$peers/venv && rm -rf "$aside"; }
	"$3" "$aside"
	echo "$2" >"$aside/pins"
	[ "$1" = venv ] || { rm -rf "${peers:?}/$1" && mv "$aside" "$peers/$1"; }
}

venv_pins=$(grep -v '^#' "$here/requirements.txt")
converter_pins="$sdist_pin ${sdist_members[*]}"
pins="$venv_pins $npm_pin $converter_pins"
mkdir -p "$peers"
peers=$(cd "$peers" && pwd)
[ "$(cat "$peers/stamp" 2>/dev/null || true)" != "$pins" ] || exit 0

exec 9>"$peers/lock"
flock 9
for tool in python3 npm tar; do
	command -v "$tool" >/dev/null || fail "$tool is missing"
done
log=$peers/setup.log
work=$(mktemp -d "$peers/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
part venv "$venv_pins" make_venv
part llama "$npm_pin" make_llama
part llama.cpp "$converter_pins" make_converter
echo "$pins" >"$peers/stamp"
