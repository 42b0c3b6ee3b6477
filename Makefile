# Phi Tools. GNU make.
#
#   make              the four tools, libphitools.a and libphitools.so, in build/VARIANT/
#   make demo         sets up, builds, runs the main job on the shipped fixture
#   make check        sets up, runs the tests            (minutes)
#   make check-san    the tests under ASan+UBSan and TSan, fuzz replay, fault sweeps
#   make check-peers  against the real runtimes and reference libraries
#   make bench        ratios against the peers        BENCH='kernels quant=q4_k_m ...' for some of them
#   make mutants      the quantizers with one constant changed each, which tests must notice
#   make fuzz         each fuzz target for FUZZ_SECONDS
#   make deps         installs missing Debian packages when root, else prints the command
#   make install      PREFIX= DESTDIR=
#
# Variants: CC=gcc|clang  SAN=address,undefined|thread  FAULTS=1. V=1 shows the commands.
# Everything that is built or downloaded lands in build/.

ifeq ($(origin CC),default)
CC := gcc
endif
V       ?= 0
PREFIX  ?= /usr/local
VERSION := 0.1.0
SOMAJOR := 0

comma   := ,
# What sets up and builds uses all CPUs, unless the caller said how many.
PARALLEL = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
VARIANT := $(notdir $(CC))$(if $(SAN),-$(subst $(comma),+,$(SAN)))$(if $(FAULTS),-faults)
B       := build/$(VARIANT)
Q       := $(if $(filter 1,$(V)),,@)

PKGS    := jansson libarchive libzstd zlib libxxhash nettle yaml-0.1 libprotobuf-c
DEPS    := gcc make pkg-config libc6-dev libjansson-dev libarchive-dev libzstd-dev zlib1g-dev \
           libxxhash-dev nettle-dev libyaml-dev libprotobuf-c-dev protobuf-c-compiler
DEPS_TEST := libcmocka-dev bats clang libclang-rt-14-dev mandoc jq xxhash zstd zsh fish python3 python3-venv npm

# -ffp-contract=off on every object: the bytes of a quantizer must not depend on the CPU (DESIGN 7).
STD     := -std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -ffp-contract=off -fno-strict-aliasing
WARN    := -Wall -Wextra -Wshadow -Wcast-qual -Wvla -Wmissing-prototypes -Wstrict-prototypes \
           -Wwrite-strings -Wpointer-arith -Wundef -Wno-psabi
HARDEN  := -fPIC -fstack-protector-strong
OPT     ?= -O2 -g
SANFLAG := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all \
           -DPHI_SANITIZED) $(if $(FAULTS),-DPHI_FAULTS)
CFLAGS_ALL = $(STD) $(WARN) $(HARDEN) $(OPT) $(SANFLAG) -I. -I$(B) -DPHI_VERSION='"$(VERSION)"' \
           $(PKG_CFLAGS) $(CFLAGS)
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LIBS    := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lm -pthread

# The number types: each family of quant/codecs.def is compiled once for every level of the machine
# (quant/levels.def), the same source at another lane width. No -mfma, and no contraction: STD.
ARCH    := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
LEVELS  := scalar $(if $(filter x86_64,$(ARCH)),sse2 avx2 avx512) $(if $(filter aarch64,$(ARCH)),neon)
LEVEL_scalar := -DPHI_LANES=1
LEVEL_sse2   := -DPHI_LANES=4
LEVEL_neon   := -DPHI_LANES=4
LEVEL_avx2   := -DPHI_LANES=8 -mavx2 -mf16c
LEVEL_avx512 := -DPHI_LANES=16 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mf16c -mprefer-vector-width=512
CODECS   := families refine $(shell sed -n 's/^CODEC(\(.*\))$$/\1/p' quant/codecs.def)
CODEC_OBJ := $(foreach level,$(LEVELS),$(CODECS:%=$(B)/quant/%.$(level).o))

LIB_SRC := $(filter-out $(CODECS:%=quant/%.c),$(sort $(wildcard formats/*.c formats/*/*.c quant/*.c inspect/*.c)))
# What is generated of formats/*/NAME.proto: NAME.pb-c.c and .h, in the same folder of the variant.
PROTOS  := $(patsubst %.proto,$(B)/%.pb-c,$(wildcard formats/*/*.proto))
LIB_OBJ := $(LIB_SRC:%.c=$(B)/%.o) $(CODEC_OBJ) $(PROTOS:%=%.o)
TOOLS   := $(patsubst cmd/%.c,%,$(wildcard cmd/phi-*.c))
CMD_OBJ := $(patsubst %.c,$(B)/%.o,$(filter-out $(wildcard cmd/phi-*.c),$(wildcard cmd/*.c)))
SONAME  := libphitools.so.$(SOMAJOR)
SO      := $(B)/libphitools.so.$(VERSION)

.PHONY: all lib libs deps demo check check-san check-peers bench fuzz soak install clean units cli layout levels mutants
.SECONDARY:
all: lib $(TOOLS:%=$(B)/%) completions
lib: $(B)/libphitools.a $(SO)

$(B)/%.o: %.c | $(PROTOS:%=%.h)
	@mkdir -p $(@D)
	@echo "  CC $<"
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -c $< -o $@

$(B)/%.pb-c.c $(B)/%.pb-c.h: %.proto
	@mkdir -p $(@D)
	@echo "  PROTOC $<"
	$(Q)protoc-c --c_out=$(B) $<
$(B)/%.pb-c.o: $(B)/%.pb-c.c
	$(Q)$(CC) $(CFLAGS_ALL) -Wno-shadow -c $< -o $@

# Sanitizers make the inlined searches slow to compile, most of all where variables are, and nobody times them.
LEVEL_OPT = $(if $(SAN),-O1 -g1,-O3)
define level_rule
$(B)/quant/%.$(1).o: quant/%.c
	@mkdir -p $$(@D)
	@echo "  CC $$< ($(1))"
	$$(Q)$$(CC) $$(CFLAGS_ALL) $$(LEVEL_OPT) $$(LEVEL_$(1)) -DPHI_LEVEL=$(1) -MMD -MP -c $$< -o $$@
endef
$(foreach level,$(LEVELS),$(eval $(call level_rule,$(level))))

$(B)/libphitools.a: $(LIB_OBJ)
	@mkdir -p $(@D); rm -f $@
	$(Q)$(AR) rcs $@ $^

# Only phi_* leaves the library.
$(SO): $(LIB_OBJ) formats/libphitools.map
	$(Q)$(CC) -shared $(SANFLAG) -Wl,-soname,$(SONAME) -Wl,--version-script=formats/libphitools.map \
		$(LIB_OBJ) $(LDFLAGS) $(LIBS) -o $@
	@ln -sf $(notdir $@) $(B)/$(SONAME); ln -sf $(SONAME) $(B)/libphitools.so

$(B)/phi-%: $(B)/cmd/phi-%.o $(CMD_OBJ) $(B)/libphitools.a
	$(Q)$(CC) $(CFLAGS_ALL) $^ $(LDFLAGS) $(LIBS) -o $@

# What shells complete, from the tools' own tables, in the folders that `make install` copies.
COMPLETE := $(B)/cmd/completion/completion
COMPLETIONS := $(TOOLS:%=$(B)/share/bash-completion/completions/%) \
           $(TOOLS:%=$(B)/share/zsh/site-functions/_%) \
           $(TOOLS:%=$(B)/share/fish/vendor_completions.d/%.fish)
.PHONY: completions
completions: $(COMPLETIONS)
$(COMPLETE): $(B)/cmd/completion/completion.o $(CMD_OBJ) $(B)/libphitools.a
	$(Q)$(CC) $(CFLAGS_ALL) $^ $(LDFLAGS) $(LIBS) -o $@
COMPLETE_TO = @mkdir -p $(@D); $(COMPLETE) $(1) $* >$@.new && mv $@.new $@
$(B)/share/bash-completion/completions/%: $(COMPLETE)
	$(call COMPLETE_TO,bash)
$(B)/share/zsh/site-functions/_%: $(COMPLETE)
	$(call COMPLETE_TO,zsh)
$(B)/share/fish/vendor_completions.d/%.fish: $(COMPLETE)
	$(call COMPLETE_TO,fish)

# ---- tests

UNITS := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
$(B)/tests/unit/test_%: $(B)/tests/unit/test_%.o $(B)/libphitools.a
	$(Q)$(CC) $(CFLAGS_ALL) $^ $(LDFLAGS) $(LIBS) -lcmocka -o $@
.PHONY: unit-programs mutate replays searches
unit-programs: $(UNITS:%=$(B)/tests/unit/%)
units: unit-programs
	$(Q)tests/run.sh $(B) units

cli: all
	$(Q)tests/run.sh $(B) cli

layout: lib
	$(Q)tests/run.sh $(B) layout

# Damages files in every place (tests/hostile/mutate.sh).
$(B)/tests/hostile/mutate: $(B)/tests/hostile/mutate.o $(B)/libphitools.a
	$(Q)$(CC) $(CFLAGS_ALL) $^ $(LDFLAGS) $(LIBS) -o $@
mutate: $(B)/tests/hostile/mutate

# A fuzz target is one source with LLVMFuzzerTestOneInput: linked with libFuzzer to search (make fuzz),
# with a plain driver to replay files (make check-san).
FUZZERS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SECONDS ?= 600
$(B)/tests/fuzz/replay_%: $(B)/tests/fuzz/fuzz_%.o $(B)/tests/fuzz/replay.o $(B)/libphitools.a
	$(Q)$(CC) $(CFLAGS_ALL) $^ $(LDFLAGS) $(LIBS) -o $@
$(B)/tests/fuzz/search_%: $(B)/tests/fuzz/fuzz_%.o $(B)/libphitools.a
	$(Q)$(CC) $(CFLAGS_ALL) -fsanitize=fuzzer $^ $(LDFLAGS) $(LIBS) -o $@
# Seeds are made, not stored: by tests/fuzz/seeds.py, and by programs seed_NAME, into seeds/NAME/.
SEEDERS := $(patsubst tests/fuzz/seed_%.c,%,$(wildcard tests/fuzz/seed_*.c))
SEEDS   := $(B)/tests/fuzz/seeds/.made
$(B)/tests/fuzz/seed_%: $(B)/tests/fuzz/seed_%.o $(B)/libphitools.a
	$(Q)$(CC) $(CFLAGS_ALL) $^ $(LDFLAGS) $(LIBS) -o $@
$(SEEDS): tests/fuzz/seeds.py tests/hostile/build.py tests/scan/cases.py $(SEEDERS:%=$(B)/tests/fuzz/seed_%) | $(B)/phi-repack
	@rm -rf $(@D); mkdir -p $(SEEDERS:%=$(@D)/%)
	$(Q)python3 tests/fuzz/seeds.py $(@D) $(B)
	$(Q)for s in $(SEEDERS); do $(B)/tests/fuzz/seed_$$s $(@D)/$$s || exit 1; done
	@touch $@
replays: $(FUZZERS:fuzz_%=$(B)/tests/fuzz/replay_%) $(SEEDS)
searches: $(FUZZERS:fuzz_%=$(B)/tests/fuzz/search_%) $(SEEDS)

# What a program is linked with beside the library, and the levels of the number types, for scripts.
libs:
	@echo $(LIBS)
levels:
	@echo $(LEVELS)

# Kernels and search with one constant changed each: the tests must notice. Some ten minutes on two processors; MUTANTS
# is a pattern of `FILE EDIT` for some of them.
mutants: lib $(B)/tests/unit/test_quant_vectors $(B)/tests/unit/test_refine
	$(Q)tests/unit/quant_mutants.sh $(B) $(MUTANTS)

deps:
	$(Q)tests/deps.sh $(DEPS) $(if $(DEPS_ALL),$(DEPS_TEST))

# pkg-config is asked when this file is read, so what needs packages runs in a second make.
demo: deps
	$(Q)$(MAKE) --no-print-directory $(PARALLEL) all
	$(Q)tests/demo.sh $(B)

check:
	$(Q)$(MAKE) --no-print-directory deps DEPS_ALL=1
	$(Q)$(MAKE) --no-print-directory $(PARALLEL) all
	$(Q)tests/run.sh $(B) check

check-san:
	$(Q)$(MAKE) --no-print-directory deps DEPS_ALL=1
	$(Q)tests/run.sh $(B) san

check-peers:
	$(Q)$(MAKE) --no-print-directory deps DEPS_ALL=1
	$(Q)$(MAKE) --no-print-directory $(PARALLEL) all
	$(Q)tests/run.sh $(B) peers

bench: all
	$(Q)tests/bench/run.sh $(B) $(BENCH)

fuzz:
	$(Q)$(MAKE) --no-print-directory CC=clang SAN=address,undefined \
		CFLAGS=-fsanitize=fuzzer-no-link searches
	$(Q)tests/fuzz/search.sh build/clang-address+undefined $(FUZZ_SECONDS) $(FUZZ_TARGETS)

# ---- installing

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/pkgconfig
	install -m 755 $(TOOLS:%=$(B)/%) $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(B)/libphitools.a $(DESTDIR)$(PREFIX)/lib
	install -m 755 $(SO) $(DESTDIR)$(PREFIX)/lib
	ln -sf $(notdir $(SO)) $(DESTDIR)$(PREFIX)/lib/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(PREFIX)/lib/libphitools.so
	@# The public headers are the three faces and what they include.
	for h in $$(printf '#include "formats/formats.h"\n#include "quant/quant.h"\n#include "inspect/inspect.h"\n' | \
		$(CC) -I. -MM -xc - | tr -d '\\' | tr ' ' '\n' | grep '\.h$$\|\.def$$'); do \
		install -D -m 644 $$h $(DESTDIR)$(PREFIX)/include/phitools/$$h || exit 1; done
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' -e 's|@REQUIRES@|$(PKGS)|' \
		formats/phitools.pc.in > $(DESTDIR)$(PREFIX)/lib/pkgconfig/phitools.pc
	cd $(B) && for c in $(COMPLETIONS:$(B)/%=%); do \
		install -D -m 644 $$c $(DESTDIR)$(PREFIX)/$$c || exit 1; done
	for m in man/*.[1-9]; do \
		install -D -m 644 $$m $(DESTDIR)$(PREFIX)/share/man/man$${m##*.}/$${m##*/} || exit 1; done

clean:
	rm -rf build/gcc* build/clang*

-include $(shell find $(B) -name '*.d' -type f 2>/dev/null)
