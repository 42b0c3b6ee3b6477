#!/bin/sh
# Damages small files of every format in every place: tests/hostile/mutate.sh BUILD
build=$(cd "$1" && pwd)
top=$(pwd)
scratch=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 2
python3 "$top/tests/hostile/whole.py" whole "$build" || exit 2
status=0
# Two at a time, each in a folder of its own.
ls whole | TMPDIR=. xargs -P 2 -I '{}' sh -c \
	'mkdir "in-$1" && cd "in-$1" && timeout 400 "$2/tests/hostile/mutate" "../whole/$1" >log 2>&1 ||
		{ echo "exit $? $(cat trying)" >>log; echo "0 passed, 1 failed" >>log; }' sh '{}' "$build"
grep -h "FAILED\|exit\|ERROR\|SUMMARY" in-*/log | head -60
cat in-*/log | awk '/^[0-9]+ passed, / { p += $1; f += $3 } END { printf "%d passed, %d failed\n", p, f; exit f > 0 || p == 0 }'
