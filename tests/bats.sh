#!/bin/sh
# One bats file with the tools of BUILD in PATH; ends with a count: tests/bats.sh BUILD FILE
PATH=$1:$PATH
PHI_BUILD=$1
export PATH PHI_BUILD
# Whoever started us may ignore signals (nohup), and what is ignored stays so in our children.
env --default-signal=HUP,INT,TERM,PIPE bats --tap "$2" | tee /dev/stderr | awk '
	/^ok .*# skip/ { next }
	/^ok / { passed++ }
	/^not ok / { failed++ }
	END { printf "%d passed, %d failed\n", passed, failed }' 
