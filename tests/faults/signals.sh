#!/bin/sh
# Signals in the middle of jobs: tests/faults/signals.sh BUILD
exec python3 tests/faults/signals.py "$1"
