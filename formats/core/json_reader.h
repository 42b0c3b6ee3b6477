/* JSON as a sequence of tokens, without a tree: for headers that may have a million entries. Strict
 * (RFC 8259): no trailing bytes, valid UTF-8, no lone surrogates, no control bytes in strings, no
 * leading zeros, nesting up to PHI_JSON_DEPTH_MAX, no \u0000 in names. Duplicate names are the
 * caller's to find. Nothing is allocated; the text is lent.
 *
 *     {"a": [1]}   gives   OBJECT  KEY a  ARRAY  INTEGER 1  ARRAY_END  OBJECT_END  END
 */
#ifndef PHI_CORE_JSON_READER_H
#define PHI_CORE_JSON_READER_H

#include "formats/core/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum phi_json_token {
	PHI_JSON_END, /* the whole text was right */
	PHI_JSON_OBJECT,
	PHI_JSON_OBJECT_END,
	PHI_JSON_ARRAY,
	PHI_JSON_ARRAY_END,
	PHI_JSON_KEY, /* the value follows */
	PHI_JSON_STRING,
	PHI_JSON_INTEGER,
	PHI_JSON_REAL,
	PHI_JSON_TRUE,
	PHI_JSON_FALSE,
	PHI_JSON_NULL,
};

struct phi_json_reader {
	const char *text;
	size_t size, at;
	unsigned depth;
	uint64_t arrays; /* bit d: the container at depth d is an array */
	int expect;	 /* which tokens may come; the reader's own */
	/* The token just read. */
	enum phi_json_token token;
	size_t offset;	 /* of its first byte */
	const char *raw; /* between the quotes, or the number's digits; lent */
	size_t raw_size;
	bool escaped; /* raw holds backslashes */
};

void phi_json_reader_init(struct phi_json_reader *reader, const char *text, size_t size);
/* Reads the next token into the reader. Messages name the byte. */
int phi_json_next(struct phi_json_reader *reader, struct phi_err *err);
/* Reads the next token, which must be `token`; `what` is what the message says was expected. */
int phi_json_expect(struct phi_json_reader *reader, enum phi_json_token token, const char *what,
	struct phi_err *err);
/* After a token that begins a value: moves to its last token, whatever it holds. */
int phi_json_skip(struct phi_json_reader *reader, struct phi_err *err);

/* The KEY or STRING just read, unescaped into dst (raw_size bytes are always enough); returns its
 * size. No NUL is added. */
size_t phi_json_unescape(const struct phi_json_reader *reader, char *dst);
/* The INTEGER just read; false if it is negative or does not fit. */
bool phi_json_u64(const struct phi_json_reader *reader, uint64_t *out);

#endif
