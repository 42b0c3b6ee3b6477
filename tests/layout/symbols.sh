#!/usr/bin/env bash
# The shared library exports phi_* and nothing else; the static one defines no other global name, so
# that a program may link it without surprise; every public header compiles alone.
set -u
build=$1 bad=0
other=$(nm -D --defined-only "$build/libphitools.so" | awk '{ sub("@.*", "", $3); print $3 }' |
	grep -v '^phi_' | grep -v '^PHITOOLS_')
[ -z "$other" ] || { echo "exported: $other"; bad=1; }
other=$(nm --defined-only -g "$build/libphitools.a" 2>/dev/null | awk 'NF == 3 { print $3 }' |
	grep -v '^phi_' | grep -v '^__\|^DW\.')
[ -z "$other" ] || { echo "global in the archive: $other"; bad=1; }
for h in $(find formats quant inspect -name '*.h'); do
	# Private to one level of lanes: they mean nothing without its -DPHI_LANES.
	case $h in quant/*lanes*) continue ;; esac
	gcc -MM -I. -I"$build" "$h" 2>/dev/null | grep -q quant/lanes.h && continue
	echo "#include \"$h\"" | gcc -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -Wno-psabi -I. -I"$build" \
		$(pkg-config --cflags jansson) -fsyntax-only -xc - || { echo "alone: $h"; bad=1; }
done
exit $bad
