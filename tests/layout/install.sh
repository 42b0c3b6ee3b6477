#!/usr/bin/env bash
# What `make install` puts down can be used: a program written against the installed headers alone,
# linked with the shared and with the static library through pkg-config, and the installed tools.
set -eu
build=$1
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
vars=(CC="${build##*/}")
case ${build##*/} in gcc | clang) ;; *) vars=() ;; esac
make --no-print-directory -s "${vars[@]}" install DESTDIR="$root" PREFIX=/usr
cat >"$root/program.c" <<'C'
#include <phitools/formats/formats.h>
#include <phitools/inspect/inspect.h>
#include <phitools/quant/quant.h>

/* Prints the number of tensors of a model. */
int
main(int argc, char **argv)
{
	const struct phi_spool_options spool = {.refuse = true};
	const struct phi_open_options options = {.size = sizeof options, .spool = &spool};
	struct phi_err err = {0};
	struct phi_source *const source = phi_open(argc > 1 ? argv[1] : NULL, &options, &err);
	if (!source) {
		fprintf(stderr, "%s\n", err.text);
		return 2;
	}
	printf("%zu %s\n", source->model->ntensors, phi_quant_cpu()[0] ? "tensors" : "");
	phi_source_close(source);
	return 0;
}
C
export PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_PATH=$root/usr/lib/pkgconfig
flags="-std=c11 -Wall -Wextra -Werror -I$root/usr/include -I$root/usr/include/phitools"
# Debian's libarchive names static libraries that its package does not bring: ours alone is linked statically.
system=$(PKG_CONFIG_SYSROOT_DIR='' pkg-config --libs $(pkg-config --print-requires-private phitools))
gcc $flags $(pkg-config --cflags phitools) "$root/program.c" $(pkg-config --libs phitools) -o "$root/shared"
gcc $flags "$root/program.c" "$root/usr/lib/libphitools.a" $system -lm -pthread -o "$root/static"
readelf -d "$root/shared" | grep -q 'NEEDED.*libphitools\.so\.[0-9]*\]'
! readelf -d "$root/static" | grep -q libphitools
want="14 tensors"
[ "$(LD_LIBRARY_PATH=$root/usr/lib "$root/shared" fixtures/phi-tiny)" = "$want" ]
[ "$("$root/static" fixtures/phi-tiny)" = "$want" ]
for t in phi-inspect phi-repack phi-quant phi-diff; do
	"$root/usr/bin/$t" --version | grep -q "^$t "
	[ -s "$root/usr/share/man/man1/$t.1" ]
	[ -s "$root/usr/share/bash-completion/completions/$t" ]
	[ -s "$root/usr/share/zsh/site-functions/_$t" ]
	[ -s "$root/usr/share/fish/vendor_completions.d/$t.fish" ]
done
# No header is missing and none refers outside of what was installed.
find "$root/usr/include/phitools" -name '*.h' | while read -r h; do
	gcc $flags $(pkg-config --cflags phitools) -D_GNU_SOURCE -fsyntax-only -xc "$h" 2>&1 | grep -v "pragma once" || true
done | { ! grep . ; }
