# Phi Tools. GNU make. `make help` lists the targets.
#
#   CC=gcc|clang   SAN=address,undefined | thread   V=1 shows the commands
#   Everything built lands in build/VARIANT/; nothing is written beside the sources.

CC      ?= gcc
V       ?= 0
VERSION := 0.1.0
SOMAJOR := 0

comma   := ,
VARIANT := $(notdir $(CC))$(if $(SAN),-$(subst $(comma),+,$(SAN)))
B       := build/$(VARIANT)
Q       := $(if $(filter 1,$(V)),,@)

PKGS    := jansson libarchive libzstd zlib libxxhash nettle
# -ffp-contract=off on every object: the bytes of a quantizer must not depend on the CPU (DESIGN.md 7).
STD     := -std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -ffp-contract=off -fno-strict-aliasing
WARN    := -Wall -Wextra -Wshadow -Wcast-qual -Wvla -Wmissing-prototypes -Wstrict-prototypes \
           -Wwrite-strings -Wpointer-arith -Wundef -Wno-psabi
HARDEN  := -fPIC -fvisibility=default -fstack-protector-strong
OPT     ?= -O2 -g
SANFLAG := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all -DPHI_SANITIZED)
CFLAGS_ALL := $(STD) $(WARN) $(HARDEN) $(OPT) $(SANFLAG) -I. -DPHI_VERSION='"$(VERSION)"' \
              $(shell pkg-config --cflags $(PKGS) 2>/dev/null) $(CFLAGS)
LIBS    := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lm -pthread

LIB_SRC := $(sort $(wildcard formats/*.c formats/*/*.c quant/*.c inspect/*.c))
LIB_OBJ := $(LIB_SRC:%.c=$(B)/%.o)
TOOLS   := $(patsubst cmd/%.c,%,$(wildcard cmd/phi-*.c))
CMD_OBJ := $(patsubst %.c,$(B)/%.o,$(filter-out $(wildcard cmd/phi-*.c),$(wildcard cmd/*.c)))

.PHONY: all help clean units
.SECONDARY:
all: $(B)/libphitools.a $(TOOLS:%=$(B)/%)

help:
	@echo "make [all|units|clean]"

$(B)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC $<"
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -c $< -o $@

$(B)/libphitools.a: $(LIB_OBJ)
	@mkdir -p $(@D); rm -f $@
	$(Q)$(AR) rcs $@ $^

$(B)/phi-%: $(B)/cmd/phi-%.o $(CMD_OBJ) $(B)/libphitools.a
	$(Q)$(CC) $(CFLAGS_ALL) $^ $(LDFLAGS) $(LIBS) -o $@

UNITS := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
$(B)/tests/unit/test_%: $(B)/tests/unit/test_%.o $(B)/libphitools.a
	$(Q)$(CC) $(CFLAGS_ALL) $^ $(LDFLAGS) $(LIBS) -lcmocka -o $@
units: $(UNITS:%=$(B)/tests/unit/%)
	@set -e; for t in $^; do $$t; done

clean:
	rm -rf build/gcc* build/clang*

-include $(shell find $(B) -name '*.d' 2>/dev/null)
