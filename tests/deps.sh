#!/bin/sh
# Installs the Debian packages named as arguments that are missing: when root, and only then; else
# prints the one command and fails. npm counts as there when some npm is on the PATH.
missing=
for p in "$@"; do
	case $p in
	npm | python3 | gcc | clang | make) command -v "$p" >/dev/null 2>&1 && continue ;;
	esac
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ]; then
	echo "installing:$missing"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
	echo "missing packages; run: sudo apt-get install$missing" >&2
	exit 1
fi
