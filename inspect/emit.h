/* JSON, written as it comes: nothing is built as a tree, so that a model of 100,000 tensors costs no
 * memory. Valid whatever the names: invalid UTF-8 becomes U+FFFD. Numbers JSON cannot say are
 * the strings "NaN", "Infinity" and "-Infinity". Commas and line breaks are the writer's: containers
 * down to `deep` levels have one element a line, deeper ones stand on one line. */
#ifndef PHI_INSPECT_EMIT_H
#define PHI_INSPECT_EMIT_H

#include "formats/core/buffer.h"
#include "formats/core/value.h"

#include <stdio.h>

struct phi_emit {
	FILE *out;
	unsigned deep;
	unsigned depth;
	bool first, after_key;
	bool failed; /* out of memory: phi_emit_finish says so */
	struct phi_buffer scratch;
};

void phi_emit_begin(struct phi_emit *e, FILE *out, unsigned deep);
/* Ends the text with a line break and frees. */
int phi_emit_finish(struct phi_emit *e, struct phi_err *err);

/* open is '{' or '['; close with the matching one. */
void phi_emit_open(struct phi_emit *e, char open);
void phi_emit_close(struct phi_emit *e, char close);
void phi_emit_key(struct phi_emit *e, const char *key);
void phi_emit_text(struct phi_emit *e, const char *s, size_t n);
void phi_emit_u64(struct phi_emit *e, uint64_t v);
void phi_emit_i64(struct phi_emit *e, int64_t v);
/* The fewest digits that give the same double (or, single, the same float) back. */
void phi_emit_real(struct phi_emit *e, double v, bool single);
void phi_emit_bool(struct phi_emit *e, bool v);
void phi_emit_null(struct phi_emit *e);

/* Key and value in one. s may be NULL: null. */
void phi_emit_member(struct phi_emit *e, const char *key, const char *s);
void phi_emit_member_u64(struct phi_emit *e, const char *key, uint64_t v);
void phi_emit_member_real(struct phi_emit *e, const char *key, double v);
void phi_emit_member_bool(struct phi_emit *e, const char *key, bool v);

struct phi_tensor;
/* "[2, 3]" */
void phi_emit_shape(struct phi_emit *e, const struct phi_tensor *tensor);
/* A metadata value; arrays over 64 elements as {"type": ..., "length": ...} unless full. */
void phi_emit_value(struct phi_emit *e, const struct phi_value *value, bool full);

#endif
