#!/usr/bin/env bash
# Runs one peer test on the tools of one build: tests/peers/run.sh TEST.py BUILD
# Installs the peers first. A peer that cannot be had is a failure, never a pass.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
test=$1
PHI_TOOLS=$(cd "$2" && pwd)
export PHI_TOOLS
"$here/setup.sh"
exec python3 "$test"
