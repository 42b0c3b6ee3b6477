#!/usr/bin/env bash
# Changes one constant at a time (quant_mutants.txt) and runs the test that must fail then: of a kernel
# test_quant_vectors, of --search (refine*, fields*) test_refine.
#
#     tests/unit/quant_mutants.sh build/gcc [PATTERN]          make mutants [MUTANTS=PATTERN]
#
# Only the scalar level is made anew. Other levels of a kernel must equal it, test_quant_levels says; the search's test
# compares them itself, so the changed one stands for all. As many at a time as there are processors; a test that does
# not end in two minutes has noticed. Prints who survived.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$1 pattern=${2:-.}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags="-std=c11 -D_GNU_SOURCE -ffp-contract=off -fno-strict-aliasing -fPIC -O1 -w -Wno-psabi"
families=$(sed -n 's/^CODEC(\(.*\))$/\1/p' quant/codecs.def)
libs=$(make -s libs)
one_for_all=
for level in $(make -s levels); do
	[ "$level" = scalar ] || one_for_all+=" -Wl,--defsym=phi_refine_$level=phi_refine_scalar"
done

# The families whose file is, or includes by way of headers, FILE.
families_of() {
	for family in $families; do
		if [ "$family.c" = "$1" ] || grep -q "quant/$1" "$build/quant/$family.scalar.d"; then
			echo "$family"
		fi
	done
}

# compile FOLDER FILE NAME FLAGS...: a file of FOLDER/quant.
compile() {
	# shellcheck disable=SC2086
	gcc $flags "${@:4}" -I"$1" -I. -c "$1/quant/$2.c" -o "$1/$3.o"
}

# make_anew FOLDER FILE: what must be when FILE changes; says the test that looks at it, and how it is linked.
make_anew() {
	case $2 in
	refine* | fields*)
		compile "$1" fields fields
		compile "$1" fields_super fields_super
		compile "$1" fields_stream fields_stream
		compile "$1" refine refine -O2 -DPHI_LANES=1 -DPHI_LEVEL=scalar
		echo test_refine$one_for_all
		;;
	*)
		for family in $(families_of "$2"); do
			compile "$1" "$family" "$family" -DPHI_LANES=1 -DPHI_LEVEL=scalar
		done
		echo test_quant_vectors
		;;
	esac
}

# try NUMBER FILE EDIT: says what is wrong, if anything, and leaves $work/NUMBER.survived.
try() {
	local folder=$work/$1 test wrong=
	mkdir "$folder"
	cp -r quant "$folder/quant"
	sed -i "$3" "$folder/quant/$2"
	if cmp -s "quant/$2" "$folder/quant/$2"; then
		wrong="nothing to change"
	# shellcheck disable=SC2086
	elif read -r -a test <<<"$(make_anew "$folder" "$2")" &&
		gcc -o "$folder/test" "$build/tests/unit/${test[0]}.o" "$folder"/*.o "${test[@]:1}" \
			"$build/libphitools.a" $libs -lcmocka; then
		! timeout 120 "$folder/test" >/dev/null 2>&1 || wrong=survived
	else
		wrong="does not compile"
	fi
	rm -rf "$folder"
	[ -n "$wrong" ] || return 0
	echo "$wrong: $2 $3"
	touch "$folder.survived"
}

tried=0
while read -r file edit; do
	[[ $file != \#* && "$file $edit" =~ $pattern ]] || continue
	while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n; done
	try "$tried" "$file" "$edit" &
	tried=$((tried + 1))
done <tests/unit/quant_mutants.txt
wait
survived=$(find "$work" -name '*.survived' | wc -l)
echo "$tried changed, $survived survived"
[ "$survived" = 0 ]
