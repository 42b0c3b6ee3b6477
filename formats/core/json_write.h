/* Writing JSON into a buffer: a value a line, two spaces for each level, as the files of a checkpoint folder are
 * spelt. The first failure stays until phi_json_write_end; calls in between do nothing. */
#ifndef PHI_CORE_JSON_WRITE_H
#define PHI_CORE_JSON_WRITE_H

#include "formats/core/buffer.h"
#include "formats/core/value.h"

#include <stdbool.h>

struct phi_json_writer {
	struct phi_buffer *out; /* lent */
	struct phi_err *err;
	bool failed;
	unsigned depth;
	bool filled[16]; /* of each level: is something in it already? */
};

/* The outermost value is an object, opened by _begin, closed by _end, which returns -1 if anything failed. */
void phi_json_write_begin(struct phi_json_writer *w, struct phi_buffer *out, struct phi_err *err);
int phi_json_write_end(struct phi_json_writer *w);

/* key: NULL within a list. kind: '{' or '['; at most 15 levels. */
void phi_json_write_open(struct phi_json_writer *w, const char *key, char kind);
void phi_json_write_close(struct phi_json_writer *w, char kind);

/* Valid JSON, as it is: null, true, a number. */
void phi_json_write_word(struct phi_json_writer *w, const char *key, const char *word);
void phi_json_write_flag(struct phi_json_writer *w, const char *key, bool flag);
void phi_json_write_count(struct phi_json_writer *w, const char *key, uint64_t v);
/* Finite; `single` as in decimal.h. */
void phi_json_write_real(struct phi_json_writer *w, const char *key, double v, bool single);
void phi_json_write_text(struct phi_json_writer *w, const char *key, const char *text);
void phi_json_write_string(struct phi_json_writer *w, const char *key, struct phi_string text);
/* Where the key is a text of a file's, too. */
void phi_json_write_string_open(struct phi_json_writer *w, struct phi_string key, char kind);
void phi_json_write_keyed_count(struct phi_json_writer *w, struct phi_string key, uint64_t v);

#endif
