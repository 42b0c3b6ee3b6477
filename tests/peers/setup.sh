#!/usr/bin/env bash
# Installs the pinned peers into $PHI_PEERS, else build/peers:
#
#   venv/        Python with the reference libraries of requirements.txt
#   llama/       libllama, libggml and the CPU kernels as published in the npm package (used through ctypes)
#   llama.cpp/   convert_hf_to_gguf.py with what it imports, out of the source package of llama-cpp-python
#
# Does nothing when the stamp names these very pins. Quiet; what goes wrong is shown on stderr.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
peers=${PHI_PEERS:-$here/../../build/peers}
npm_pin=@node-llama-cpp/linux-x64@3.22.1
sdist_pin=llama-cpp-python==0.3.36

fail() {
	echo "tests/peers/setup.sh: $1" >&2
	[ ! -s "${log:-}" ] || tail -n 15 "$log" >&2
	exit 1
}

pins=$(printf '%s\n%s\n' "$npm_pin" "$sdist_pin"; grep -v '^#' "$here/requirements.txt")
mkdir -p "$peers"
peers=$(cd "$peers" && pwd)
[ "$(cat "$peers/stamp" 2>/dev/null || true)" != "$pins" ] || exit 0

exec 9>"$peers/lock"
flock 9
[ "$(cat "$peers/stamp" 2>/dev/null || true)" != "$pins" ] || exit 0

for tool in python3 npm tar; do
	command -v "$tool" >/dev/null || fail "$tool is missing"
done
log=$peers/setup.log
work=$(mktemp -d "$peers/work.XXXXXX")
trap 'rm -rf "$work"' EXIT

rm -rf "$peers/venv" "$peers/llama" "$peers/llama.cpp" "$peers/stamp"
python3 -m venv "$peers/venv" >"$log" 2>&1 || fail "python3 -m venv fails (Debian: python3-venv)"
pip=("$peers/venv/bin/python" -m pip --disable-pip-version-check --quiet)
"${pip[@]}" install -r "$here/requirements.txt" >"$log" 2>&1 || fail "pip cannot install requirements.txt"

(cd "$work" && npm pack --silent "$npm_pin") >"$log" 2>&1 || fail "npm cannot fetch $npm_pin"
mkdir "$peers/llama"
tar -xzf "$work"/node-llama-cpp-*.tgz -C "$peers/llama" --strip-components=3 --wildcards '*/linux-x64/*.so' \
	>"$log" 2>&1 || fail "$npm_pin is not laid out as expected"

"${pip[@]}" download --no-deps --no-binary llama-cpp-python "$sdist_pin" -d "$work" >"$log" 2>&1 ||
	fail "pip cannot fetch the source of $sdist_pin"
mkdir "$peers/llama.cpp"
tar -xzf "$work"/llama_cpp_python-*.tar.gz -C "$peers/llama.cpp" --strip-components=3 --wildcards \
	'*/vendor/llama.cpp/convert_hf_to_gguf.py' '*/vendor/llama.cpp/conversion/*' '*/vendor/llama.cpp/gguf-py/*' \
	'*/vendor/llama.cpp/include/*' '*/vendor/llama.cpp/ggml/include/*' >"$log" 2>&1 ||
	fail "$sdist_pin is not laid out as expected"
echo "$pins" >"$peers/stamp"
