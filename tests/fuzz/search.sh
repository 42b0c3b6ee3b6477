#!/usr/bin/env bash
# Searches with libFuzzer, each target for SECONDS, two at a time: tests/fuzz/search.sh BUILD SECONDS
# New inputs stay in build/corpus/NAME; a crash is a file in build/crashes and exit 1.
set -u
build=$1 seconds=$2
mkdir -p build/crashes
search()
{
	local t=$1 name=${1##*/search_}
	mkdir -p "build/corpus/$name"
	"$t" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
		-artifact_prefix="build/crashes/$name-" "build/corpus/$name" \
		$(ls -d "tests/fuzz/corpus/$name" "$build/tests/fuzz/seeds/$name" fixtures 2>/dev/null) >"build/corpus/$name.log" 2>&1 &&
		echo "ok $name $(grep -c . <(ls "build/corpus/$name")) inputs," \
			"$(awk '/stat::number_of_executed_units/ { print $2 }' "build/corpus/$name.log") runs" ||
		{ echo "FAILED $name, see build/corpus/$name.log"; return 1; }
}
status=0
running=0
for t in "$build"/tests/fuzz/search_*; do
	case $t in *.[od]) continue ;; esac
	search "$t" &
	running=$((running + 1))
	[ $((running % 2)) -eq 0 ] && { wait || status=1; }
done
wait || status=1
ls build/crashes/* >/dev/null 2>&1 && { ls build/crashes; status=1; }
exit $status
