#!/usr/bin/env bash
# Searches with libFuzzer, each target for SECONDS, two at a time: tests/fuzz/search.sh BUILD SECONDS [NAME...]
# New inputs stay in build/corpus/NAME; a crash is a file in build/crashes and exit 1.
set -u
build=$1 seconds=$2
shift 2
mkdir -p build/crashes
search()
{
	local t=$1 name=${1##*/search_} dictionary
	dictionary=tests/fuzz/dictionaries/$name.dict
	mkdir -p "build/corpus/$name"
	if nice -n 10 "$t" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 \
		-print_final_stats=1 $([ -e "$dictionary" ] && echo "-dict=$dictionary") \
		-artifact_prefix="build/crashes/$name-" "build/corpus/$name" \
		$(ls -d "tests/fuzz/corpus/$name" "$build/tests/fuzz/seeds/$name" fixtures/small 2>/dev/null) \
		>"build/corpus/$name.log" 2>&1
	then
		echo "ok $name: $(find "build/corpus/$name" -type f | wc -l) inputs," \
			"$(awk '/stat::number_of_executed_units/ { print $2 }' "build/corpus/$name.log") runs"
	else
		echo "FAILED $name, see build/corpus/$name.log"
		return 1
	fi
}
names=("$@")
[ $# -gt 0 ] || names=($(find "$build/tests/fuzz" -name 'search_*' -executable -type f -printf '%f\n' |
	sed 's/search_//' | sort))
status=0
for name in "${names[@]}"; do
	[ "$(jobs -rp | wc -l)" -lt 2 ] || wait -n || status=1
	search "$build/tests/fuzz/search_$name" &
done
while [ -n "$(jobs -p)" ]; do
	wait -n || status=1
	jobs >/dev/null
done
exit $status
