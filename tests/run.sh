#!/usr/bin/env bash
# Runs groups of tests on one build and counts them: tests/run.sh BUILD GROUP
#
#   units    every build/VARIANT/tests/unit/test_* (cmocka)
#   cli      tests/cli/*.bats with the tools in PATH
#   layout   include rules, exported symbols, fixtures, man pages: tests/layout/*.sh
#   hostile  files of each class of attack, and files damaged in every place: tests/hostile
#   check    all of these, the demo, and clang without warnings
#   san      units, cli, hostile files and fuzz replay under ASan+UBSan; units and conversions under
#            TSan; fault sweeps
#   peers    tests/peers/*.py
#
# Each test is one line `ok NAME` or `FAILED NAME` with its output, and its seconds if it took some;
# the last line is the count.
set -u
build=$1 group=$2
passed=0 failed=0
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
export LC_ALL=C
renice -n 10 $$ >/dev/null 2>&1

# Tests run beside each other, one a processor, each with its own log; they are reported in the order
# in which they were begun. A test is a file $work/NUMBER.{name,counts,log,status,seconds}.
begun=0 reported=0

# begin COUNTS NAME COMMAND...: begins a test, when there is room. COUNTS is yes if its last line
# `N passed, N failed` says what it counted; else it is a command that exits 0.
begin()
{
	local t=$work/$begun
	echo "$2" >"$t.name"
	echo "$1" >"$t.counts"
	shift 2
	while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n; done
	begun=$((begun + 1))
	(
		start=$SECONDS
		"$@" >"$t.log" 2>&1
		status=$?
		echo $((SECONDS - start)) >"$t.seconds"
		echo $status >"$t.status"
	) &
	report
}

# Reports the tests that have ended, up to the first that has not.
report()
{
	while [ $reported -lt $begun ] && [ -e "$work/$reported.status" ]; do
		report_one "$work/$reported"
		rm "$work/$reported".*
		reported=$((reported + 1))
	done
}

report_one()
{
	local name status p=0 f=1 count='' took=''
	name=$(cat "$1.name") status=$(cat "$1.status")
	[ "$(cat "$1.seconds")" -lt 5 ] || took=" in $(cat "$1.seconds") s"
	if [ "$(cat "$1.counts")" = yes ]; then
		read -r p f < <(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed.*/\1 \2/p' "$1.log" | tail -n 1) || p=0 f=1
		[ "$status" -eq 0 ] || [ "$f" -gt 0 ] || f=1
		[ "$p" -gt 0 ] || [ "$f" -gt 0 ] || f=1
		count=" ($p passed, $f failed)"
	elif [ "$status" -eq 0 ]; then
		p=1 f=0
	fi
	passed=$((passed + p)) failed=$((failed + f))
	if [ "$f" -gt 0 ]; then
		echo "FAILED $name$count$took"
		grep -vE '^ok ' "$1.log" | tail -n 60 | sed 's/^/    /'
	else
		echo "ok $name${count:+ ($p)}$took"
	fi
}

# Waits for all tests that were begun.
finish()
{
	wait
	report
}

one() { begin no "$@"; }
many() { begin yes "$@"; }

# must NAME COMMAND...: what the tests after it need; it runs alone.
must()
{
	finish
	one "$@"
	finish
}

# run_units BUILD [REGEX]: what REGEX finds in names is left out.
run_units()
{
	must "units build" make --no-print-directory -s -j"$(nproc)" "${vars[@]}" lib unit-programs
	for t in "$1"/tests/unit/test_*; do
		case $t in *.[od]) continue ;; esac
		[ -n "${2:-}" ] && [[ $t =~ $2 ]] && continue
		one "${t##*/}" "$t"
	done
}

run_cli()
{
	local dir
	dir=$(cd "$1" && pwd)
	for t in tests/cli/*.bats; do
		many "${t##*/}" tests/bats.sh "$dir" "$t"
	done
}

run_layout()
{
	for t in tests/layout/*.sh; do
		one "${t##*/}" "$t" "$build"
	done
}

run_hostile()
{
	must "mutate builds" make --no-print-directory -s -j"$(nproc)" "${vars[@]}" mutate
	finish # these keep all processors busy
	many "hostile files" python3 -W ignore tests/hostile/run.py "$1"
	finish
	many "damaged files" tests/hostile/mutate.sh "$1"
	many "files to scan" python3 tests/scan/run.py "$1"
}

run_clang()
{
	must "clang without warnings" make --no-print-directory -s -j"$(nproc)" CC=clang \
		CFLAGS=-Werror all
}

run_fuzz_replay()
{
	must "fuzz replay builds" make --no-print-directory -s -j"$(nproc)" "${vars[@]}" replays
	for t in "$1"/tests/fuzz/replay_*; do
		case $t in *.[od]) continue ;; esac
		one "${t##*/}" tests/fuzz/replay.sh "$t"
	done
}

# The tools with eight threads: no race is seen, and the bytes are those of one thread.
run_threads()
{
	local dir
	dir=$(cd "$1" && pwd)
	many "conversions with eight threads" tests/threads.sh "$dir"
}

variant()
{
	vars=("$@")
	must "$* builds" make --no-print-directory -s -j"$(nproc)" "${vars[@]}" all
}

vars=()
case $group in
units) run_units "$build" ;;
cli) run_cli "$build" ;;
layout) run_layout ;;
hostile) run_hostile "$build" ;;
check)
	run_units "$build"
	run_layout
	run_cli "$build"
	one "make demo" tests/demo.sh "$build"
	run_hostile "$build"
	run_clang
	;;
san)
	variant CC=gcc SAN=address,undefined
	run_units build/gcc-address+undefined
	run_cli build/gcc-address+undefined
	run_hostile build/gcc-address+undefined
	run_fuzz_replay build/gcc-address+undefined
	variant CC=gcc SAN=thread
	# The kernels know no threads, and take minutes there.
	run_units build/gcc-thread 'test_(quant_levels|quant_vectors|refine)$'
	run_threads build/gcc-thread
	variant CC=gcc FAULTS=1
	for t in tests/faults/*.sh; do
		finish # they keep all processors busy
		many "${t##*/}" "$t" build/gcc-faults
	done
	;;
peers)
	must "peers are installed" tests/peers/setup.sh
	for t in tests/peers/test_*.py; do
		many "${t##*/}" tests/peers/run.sh "$t" "$build"
	done
	;;
*)
	echo "run.sh: no group $group" >&2
	exit 2
	;;
esac
finish
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
