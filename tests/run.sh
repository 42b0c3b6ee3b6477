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
log=$(mktemp) || exit 2
trap 'rm -f "$log"' EXIT
export LC_ALL=C
renice -n 10 $$ >/dev/null 2>&1

# since SECONDS_BEFORE: how long that is, if it is worth saying.
since()
{
	[ $((SECONDS - $1)) -lt 5 ] || echo " in $((SECONDS - $1)) s"
}

# one NAME COMMAND...: a test is a command that exits 0.
one()
{
	local name=$1 start=$SECONDS
	shift
	if "$@" >"$log" 2>&1; then
		passed=$((passed + 1))
		echo "ok $name$(since $start)"
	else
		failed=$((failed + 1))
		echo "FAILED $name"
		tail -n 40 "$log" | sed 's/^/    /'
	fi
}

# many NAME COMMAND...: a command whose last `N passed, N failed` line says what it counted.
many()
{
	local name=$1 p=0 f=1 start=$SECONDS
	shift
	"$@" >"$log" 2>&1
	local status=$?
	if grep -qE '^[0-9]+ passed, [0-9]+ failed' "$log"; then
		p=$(grep -E '^[0-9]+ passed, ' "$log" | tail -n 1 | sed 's/ passed.*//')
		f=$(grep -E '^[0-9]+ passed, ' "$log" | tail -n 1 | sed 's/.*, \([0-9]*\) failed.*/\1/')
	fi
	[ $status -eq 0 ] || [ "$f" -gt 0 ] || f=1
	[ "$p" -gt 0 ] || [ "$f" -gt 0 ] || f=1
	passed=$((passed + p)) failed=$((failed + f))
	if [ "$f" -gt 0 ]; then
		echo "FAILED $name ($p passed, $f failed)"
		grep -vE '^ok' "$log" | tail -n 60 | sed 's/^/    /'
	else
		echo "ok $name ($p)$(since $start)"
	fi
}

# run_units BUILD [REGEX]: what REGEX finds in names is left out.
run_units()
{
	make --no-print-directory -s -j"$(nproc)" "${vars[@]}" lib unit-programs >"$log" 2>&1 || {
		cat "$log"
		failed=$((failed + 1))
		return
	}
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
	one "mutate builds" make --no-print-directory -s -j"$(nproc)" "${vars[@]}" mutate
	many "hostile files" python3 -W ignore tests/hostile/run.py "$1"
	many "damaged files" tests/hostile/mutate.sh "$1"
	many "files to scan" python3 tests/scan/run.py "$1"
}

run_clang()
{
	one "clang without warnings" make --no-print-directory -s -j"$(nproc)" CC=clang \
		CFLAGS=-Werror all
}

run_fuzz_replay()
{
	one "fuzz replay builds" make --no-print-directory -s -j"$(nproc)" "${vars[@]}" replays
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
	make --no-print-directory -s -j"$(nproc)" "${vars[@]}" all >"$log" 2>&1 || {
		cat "$log"
		failed=$((failed + 1))
	}
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
		many "${t##*/}" "$t" build/gcc-faults
	done
	;;
peers)
	for t in tests/peers/test_*.py; do
		many "${t##*/}" tests/peers/run.sh "$t" "$build"
	done
	;;
*)
	echo "run.sh: no group $group" >&2
	exit 2
	;;
esac
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
