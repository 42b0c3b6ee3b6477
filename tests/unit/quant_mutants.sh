#!/usr/bin/env bash
# Changes one constant of a kernel at a time (quant_mutants.txt) and runs test_quant_vectors, which must fail.
#
#     tests/unit/quant_mutants.sh build/gcc [PATTERN]
#
# Only the scalar level is made anew: the others must equal it, test_quant_levels says. Prints who survived.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$1 pattern=${2:-.}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
survived=0 tried=0
flags="-std=c11 -D_GNU_SOURCE -ffp-contract=off -fno-strict-aliasing -fPIC -O1 -w -DPHI_LANES=1 -DPHI_LEVEL=scalar"
families=$(sed -n 's/^CODEC(\(.*\))$/\1/p' quant/codecs.def)

# The families whose file is, or includes by way of headers, FILE.
families_of() {
	for family in $families; do
		if [ "$family.c" = "$1" ] || grep -q "quant/$1" "$build/quant/$family.scalar.d"; then
			echo "$family"
		fi
	done
}

while read -r file edit; do
	[[ $file != \#* && "$file $edit" =~ $pattern ]] || continue
	rm -rf "$work/quant"
	cp -r quant "$work/quant"
	sed -i "$edit" "$work/quant/$file"
	if cmp -s "quant/$file" "$work/quant/$file"; then
		echo "nothing to change: $file $edit"
		survived=$((survived + 1))
		continue
	fi
	objects=()
	for family in $(families_of "$file"); do
		# shellcheck disable=SC2086
		gcc $flags -I"$work" -I. -c "$work/quant/$family.c" -o "$work/$family.o"
		objects+=("$work/$family.o")
	done
	# shellcheck disable=SC2046
	gcc -o "$work/test" "$build/tests/unit/test_quant_vectors.o" "${objects[@]}" "$build/libphitools.a" \
		$(make -s libs) -lcmocka
	tried=$((tried + 1))
	if "$work/test" >/dev/null 2>&1; then
		echo "survived: $file $edit"
		survived=$((survived + 1))
	fi
	rm -f "${objects[@]}"
done <tests/unit/quant_mutants.txt
echo "$tried changed, $survived survived"
[ "$survived" = 0 ]
