#!/bin/sh
# Replays a target's corpus: tests/fuzz/replay.sh build/VARIANT/tests/fuzz/replay_NAME. The corpus is
# tests/fuzz/corpus/NAME/ (inputs that once failed), the seeds that were made for it, the small fixtures.
name=${1##*/replay_}
files=$(find "tests/fuzz/corpus/$name" "${1%/*}/seeds/$name" fixtures/small -type f -size -64k 2>/dev/null | sort)
[ -n "$files" ] || { echo "no corpus for $name"; exit 1; }
exec timeout 300 "$1" $files
