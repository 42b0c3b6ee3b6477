#!/bin/sh
# Every allocation of every command made to fail, once and from then on: tests/faults/alloc.sh BUILD
exec python3 tests/faults/sweep.py "$1" alloc
