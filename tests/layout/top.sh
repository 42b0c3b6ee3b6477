#!/usr/bin/env bash
# The top level is what DESIGN.md section 2 says, and no test or build leaves anything beside build/.
set -u
want="cmd fixtures formats inspect LICENSE Makefile man quant README.md tests .ci .clang-format .git .gitignore"
bad=0
for f in $(ls -A); do
	case " $want build " in *" $f "*) ;; *) echo "beside the plan: $f"; bad=1 ;; esac
done
git status --porcelain 2>/dev/null | grep '^??' && { echo "untracked files"; bad=1; }
exit $bad
