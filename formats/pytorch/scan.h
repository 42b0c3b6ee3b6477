/* --scan: what in a file would run code when a loader of PyTorch, NumPy, pickle or Keras opens it.
 *
 * Nothing is loaded. Every byte of a file is given to phi_scan_content, which tells by content alone
 * what it is: a zip or tar, whose entries are examined in the same way, a pickle, an array, compressed
 * data, text, or something that no loader runs, which is searched for pickles from end to end. Pickles
 * are run by an abstract machine (scan_pickle.c) that knows of each value only what it could be for a
 * loader: a name, a global, the result of a call.
 *
 * The verdict is by allow-list: what weights need is listed in scan_globals.def; a global that is
 * neither there nor known to be dangerous is suspicious. What cannot be examined is a finding too, so
 * that a file without findings was examined to its last byte. scan_rules.def has every rule.
 *
 * Sources: facts/security.md 1.3 and 3; Python's Modules/_pickle.c; torch/_weights_only_unpickler.py. */
#ifndef PHI_PYTORCH_SCAN_H
#define PHI_PYTORCH_SCAN_H

#include "formats/core/arena.h"
#include "formats/core/finding.h"
#include "formats/core/names.h"
#include "formats/core/store.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	PHI_SCAN_DEPTH_MAX = 8,		     /* archives in archives, pickles in strings of pickles */
	PHI_SCAN_STACK_MAX = 1 << 20,	     /* values on a pickle's stack, and open marks */
	PHI_SCAN_MEMO_MAX = 2 << 20,	     /* values in its memo */
	PHI_SCAN_MEMORY_MAX = 16 << 20,	     /* bytes inflated into memory; more go to a spool */
	PHI_SCAN_LITERAL_MAX = 64 << 20,     /* bytes of a string whose characters stand for bytes */
	PHI_SCAN_TEXT_MAX = 16 << 20,	     /* bytes of a JSON text, template or source that is read */
	PHI_SCAN_FINDINGS_MAX = 1000,	     /* of one file */
	PHI_SCAN_ENTRIES_MAX = 1 << 20,	     /* entries of one archive */
	PHI_SCAN_STEPS_MAX = 256 << 20,	     /* opcodes in all, and work that costs as much */
};
/* Bytes examined in all beyond 16 times the file's size: archives may share and inflate. */
#define PHI_SCAN_VOLUME_MAX (UINT64_C(1) << 30)

enum phi_scan_rule {
#define RULE(name, id, severity, text) PHI_RULE_##name,
#include "formats/pytorch/scan_rules.def"
#undef RULE
};

/* One scan of one file. */
struct phi_scan {
	const struct phi_findings *findings;
	struct phi_arena *arena;
	struct phi_names *said; /* findings are made once an entry */
	size_t nsaid;
	uint64_t steps;	 /* opcodes left */
	uint64_t volume; /* bytes left */
	bool full;	 /* a limit was passed, and that was said */
};

/* Bytes to examine: a range of a member, of memory, or of a spool. */
struct phi_scan_input {
	struct phi_member *member;
	const uint8_t *memory;
	struct phi_spool *spool;
	uint64_t base, size;
	const char *entry; /* within the file, or NULL */
	uint64_t origin;   /* offset of the first byte within file or entry, for findings */
	bool frozen;	   /* decoded bytes: all of them are at `origin` */
	bool literal;	   /* from inside a pickle */
	unsigned depth;
};

int phi_scan_read(const struct phi_scan_input *in, uint64_t at, void *dst, size_t n,
	struct phi_err *err);
/* A part of an input; inside its size. */
struct phi_scan_input phi_scan_part(const struct phi_scan_input *in, uint64_t at, uint64_t size);

/* A moving window over an input. */
enum { PHI_SCAN_WINDOW = 64 << 10 };
struct phi_scan_window {
	const struct phi_scan_input *in;
	uint8_t *bytes; /* of its own, unless the input is in memory */
	uint64_t at;
	size_t size;
};
/* The n bytes at `at` (at most PHI_SCAN_WINDOW); *left says how many follow within reach. NULL with
 * *left < n: the input ends before; NULL otherwise: err. Lent until the next call. */
const uint8_t *phi_scan_look(struct phi_scan_window *w, uint64_t at, size_t n, size_t *left,
	struct phi_err *err);
void phi_scan_window_free(struct phi_scan_window *w);

/* Makes a finding, unless the same was made in this entry. */
int phi_scan_emit(struct phi_scan *s, const struct phi_scan_input *in, enum phi_scan_rule rule,
	uint64_t at, struct phi_err *err, const char *fmt, ...) PHI_PRINTF(6, 7);
/* Takes work that costs as much as n opcodes off the steps. */
void phi_scan_spend(struct phi_scan *s, uint64_t n);
/* Takes n bytes off the volume. 1: the limit is passed, which was said. */
int phi_scan_charge(struct phi_scan *s, const struct phi_scan_input *in, uint64_t n,
	struct phi_err *err);

/* Anything, told by its content. */
int phi_scan_content(struct phi_scan *s, const struct phi_scan_input *in, struct phi_err *err);
/* Anything that is no archive and no array: pickles from its start on, and wherever else. */
int phi_scan_raw(struct phi_scan *s, const struct phi_scan_input *in, struct phi_err *err);

/* The pickle at `at`, up to its STOP or its end. */
struct phi_scan_pickle {
	uint64_t used;	   /* bytes */
	uint64_t steps;	   /* opcodes */
	bool headed;	   /* begins with PROTO */
	bool proven;	   /* it is no accident that these bytes are opcodes */
	bool stopped;	   /* by STOP */
	bool magic;	   /* it is torch's magic number and nothing else */
	unsigned globals;
};
/* hidden: bytes that no loader begins at: only what they would run is a finding. */
int phi_scan_pickle(struct phi_scan *s, const struct phi_scan_input *in, uint64_t at, bool hidden,
	struct phi_scan_pickle *result, struct phi_err *err);

/* What a global is to the one who loads it. */
enum phi_scan_global {
	PHI_GLOBAL_DANGEROUS, /* known to run code, or to reach what does */
	PHI_GLOBAL_ODD,	      /* not a name as picklers write one */
	PHI_GLOBAL_UNKNOWN,
	PHI_GLOBAL_VALUE, /* allowed: not called, or what it makes has nothing to modify */
	PHI_GLOBAL_CONTAINER,
	PHI_GLOBAL_TENSOR,
};
enum phi_scan_global phi_scan_classify(const char *module, size_t nmodule, const char *name,
	size_t nname);

/* Do strings of pickles begin so, that are worth decoding? */
bool phi_scan_is_base64(const uint8_t *p, size_t n);
/* Decodes and examines them. */
int phi_scan_base64(struct phi_scan *s, const struct phi_scan_input *in, struct phi_err *err);

/* Containers. */
/* *archive: there was one. */
int phi_scan_zip(struct phi_scan *s, const struct phi_scan_input *in, bool *archive,
	struct phi_err *err);
int phi_scan_tar(struct phi_scan *s, const struct phi_scan_input *in, struct phi_err *err);
int phi_scan_numpy(struct phi_scan *s, const struct phi_scan_input *in, struct phi_err *err);

/* Inflates all of an input and examines what comes. window: as zlib's windowBits. *good: it was sound
 * to its end; *crc and *size are those of what came; *used of the compressed bytes. sure: it is known to be
 * deflated, so that what came before a fault is examined as well. */
struct phi_scan_inflated {
	bool good;
	uint32_t crc;
	uint64_t size, used;
};
int phi_scan_inflate(struct phi_scan *s, const struct phi_scan_input *in, int window, bool sure,
	struct phi_scan_inflated *out, struct phi_err *err);

/* Texts: JSON, sources and templates, by name and content. */
int phi_scan_text(struct phi_scan *s, const struct phi_scan_input *in, const uint8_t *head,
	size_t n, struct phi_err *err);

#endif
