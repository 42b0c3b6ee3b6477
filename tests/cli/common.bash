# What all tests of the command line share. bats runs each test in a fresh folder, $BATS_TEST_TMPDIR;
# the tools are in PATH (tests/bats.sh). Warnings and errors are looked at as they are printed: LC_ALL=C.

top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
tools="phi-inspect phi-repack phi-quant phi-diff"
export LC_ALL=C TMPDIR="$BATS_TEST_TMPDIR"
unset NO_COLOR PHI_CPU
set -o pipefail

setup()
{
	cd "$BATS_TEST_TMPDIR" || return 1
	cp -r "$top/fixtures/phi-tiny" Phi-4-mini
	mkdir tmp
	export TMPDIR=$BATS_TEST_TMPDIR/tmp
}

# safetensors FILE NAME=TYPE:SHAPE:VALUES...   VALUES: comma-separated numbers (F32, I32 only)
safetensors()
{
	python3 - "$@" <<'PY'
import json, struct, sys
header, data = {}, b""
for spec in sys.argv[2:]:
    name, rest = spec.rsplit("=", 1)
    dtype, shape, values = rest.split(":")
    fmt = {"F32": "f", "I32": "i", "F64": "d"}[dtype]
    values = [float(v) if fmt != "i" else int(v) for v in values.split(",") if v]
    raw = struct.pack("<%d%s" % (len(values), fmt), *values)
    shape = [int(n) for n in shape.split("x") if n]
    header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
    data += raw
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
open(sys.argv[1], "wb").write(struct.pack("<Q", len(text)) + text + data)
PY
}

# golden NAME: stdin equals tests/cli/golden/NAME; PHI_GOLDEN=write makes it so.
golden()
{
	local file="$BATS_TEST_DIRNAME/golden/$1"
	if [ "${PHI_GOLDEN-}" = write ]; then
		cat >"$file"
	else
		diff -u "$file" -
	fi
}

# has WORDS..: grep that reads to the end. grep -q leaves at once, and pipefail then reports the SIGPIPE.
has()
{
	grep "$@" >/dev/null
}

# fails STATUS MESSAGE COMMAND...: the command exits with STATUS and its stderr, one line, is MESSAGE.
fails()
{
	local want=$1 message=$2 status=0 text
	shift 2
	text=$("$@" 2>&1 >/dev/null) || status=$?
	[ "$status" -eq "$want" ] || { echo "status $status: $text"; return 1; }
	[ "$text" = "$message" ] || { echo "said: $text"; echo "want: $message"; return 1; }
}

# Nothing is in the folder but what is named: no temporary was left behind.
only_files()
{
	local have want
	have=$(find . -mindepth 1 -maxdepth 1 ! -name Phi-4-mini ! -name tmp -printf '%f\n' | sort)
	want=$(printf '%s\n' "$@" | sort)
	[ "$have" = "$(echo "$want" | sed '/^$/d')" ] || { echo "left: $have"; return 1; }
	[ -z "$(ls -A tmp)" ] || { echo "left in TMPDIR: $(ls -A tmp)"; return 1; }
}

# imatrix FILE ENTRIES...: an importance file of the older kind; NAME:COLUMNS each.
imatrix()
{
	python3 - "$@" <<'PY'
import struct, sys
out = struct.pack("<i", len(sys.argv) - 2)
for spec in sys.argv[2:]:
    name, n = spec.rsplit(":", 1)
    out += struct.pack("<i", len(name)) + name.encode() + struct.pack("<ii", 2, int(n))
    out += struct.pack("<%df" % int(n), *[1 + i % 7 for i in range(int(n))])
open(sys.argv[1], "wb").write(out + struct.pack("<ii", 5, 8) + b"wiki.txt")
PY
}
