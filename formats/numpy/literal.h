/* The literals of Python that a .npy header is made of: strings, integers, True, False, None, and
 * tuples and lists of them. Parsed by hand; nothing is ever evaluated.
 *
 *     'descr'   u"x"   42   42L   -1   True   (3, 4)   (3,)   ()   ((3), 4)
 *     [('a', '<f4'), ('b', '<i2', (2,))]
 *
 * Not taken: bytes, floats, dicts within, joined or triple-quoted strings; no writer makes them. */
#ifndef PHI_NUMPY_LITERAL_H
#define PHI_NUMPY_LITERAL_H

#include "formats/core/error.h"
#include "formats/core/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PHI_LITERAL_DEPTH_MAX = 16 }; /* brackets in brackets; records of records have 4 or so */

enum phi_literal_kind {
	PHI_LITERAL_STRING,
	PHI_LITERAL_INTEGER,
	PHI_LITERAL_BOOL,
	PHI_LITERAL_NONE,
	PHI_LITERAL_TUPLE,
	PHI_LITERAL_LIST,
};

struct phi_literal {
	enum phi_literal_kind kind;
	const char *text; /* of a string: what is between the quotes, as written; lent */
	size_t size;
	uint64_t number; /* of an integer: how far from 0 */
	bool negative;
	bool truth;
	/* Of a tuple or list: how many items, and the first of them if all are integers from 0. */
	size_t count;
	bool integers;
	uint64_t items[PHI_RANK_MAX];
};

struct phi_literal_text {
	const char *at, *end;
};

/* Parses the value at text->at, and moves on to what follows it. */
int phi_literal_parse(struct phi_literal_text *text, struct phi_literal *out, struct phi_err *err);

/* Moves on over blanks, then over `c` if it is there. */
bool phi_literal_take(struct phi_literal_text *text, char c);

/* Is it the string? */
bool phi_literal_is(const struct phi_literal *literal, const char *string);

#endif
