#!/usr/bin/env bash
# The figures of the tools against their peers: tests/bench/run.sh BUILD [NAME...]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
PHI_TOOLS=$(cd "$1" && pwd)
export PHI_TOOLS
"$here/../peers/setup.sh"
cc -std=c11 -D_GNU_SOURCE -O2 -Wall -o "$PHI_TOOLS/tests-measure" "$here/measure.c"
# shellcheck disable=SC2046
cc -std=c11 -D_GNU_SOURCE -O2 -Wall -Wno-psabi -I"$here/../.." -o "$PHI_TOOLS/tests-kernels" "$here/kernels.c" \
	"$PHI_TOOLS/libphitools.a" $(make -s -C "$here/../.." libs) -ldl
exec python3 "$here/bench.py" "${@:2}"
