/* JSON through jansson, made strict where a file must not fool two readers: duplicate names, nesting
 * beyond PHI_JSON_DEPTH_MAX, trailing bytes and invalid UTF-8 are refused, with the byte offset.
 * jansson's memory is phi_alloc's. A tree takes some 30 to 60 times a dense text's size: callers
 * limit the text, and objects with very many members are walked a member at a time. */
#ifndef PHI_CORE_JSON_H
#define PHI_CORE_JSON_H

#include "formats/core/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum {
	/* Integers beyond 64 bits are read as reals (tokenizer_config.json has one); else refused.
	 * All other integers stay integers. */
	PHI_JSON_BIG_INTEGERS = 1,
	PHI_JSON_KEEP_DUPLICATES = 2, /* the last one wins, as Python: for files of HF users' making */
	/* Strings may hold \u0000 (else refused): read them with json_string_length. */
	PHI_JSON_NULS = 4,
};

/* The caller frees with json_decref. The top level is an object or an array. */
json_t *phi_json_parse(const char *text, size_t size, unsigned flags, struct phi_err *err);

/* The members of an object that is a whole text, one at a time: a header with a million tensors never
 * stands as one tree. Duplicate names among these members are the caller's to find (names.h). */
struct phi_json_members {
	const char *text; /* lent */
	size_t size, at;
	size_t token; /* bytes of the longest string or number */
	json_t *name, *value; /* of the member just read; freed by the next step and by the end */
	bool nested; /* inside another walk: the text goes on behind the object */
};

/* Checks the nesting of the whole text and that it begins with '{'. */
int phi_json_members_begin(struct phi_json_members *members, const char *text, size_t size,
	struct phi_err *err);
/* 1: name (a string, perhaps with NULs) and value were read; 0: the object, and with it the text, is
 * at its end; -1. */
int phi_json_members_next(struct phi_json_members *members, struct phi_err *err);
void phi_json_members_end(struct phi_json_members *members);
/* Instead of _next: the next member must have this name and be an object, which `inner` then walks.
 * After its 0, phi_json_members_leave lets `outer` go on behind it. */
int phi_json_members_enter(struct phi_json_members *outer, const char *name,
	struct phi_json_members *inner, struct phi_err *err);
void phi_json_members_leave(struct phi_json_members *outer, struct phi_json_members *inner);

/* Appends the JSON string of s[0..n) with quotes to a buffer; invalid UTF-8 bytes become U+FFFD. The
 * escapes are those of Rust's serde and of every other writer that escapes no more than it must:
 * \" \\ \b \f \n \r \t, and \u00xx for other control bytes below 0x20. */
struct phi_buffer;
int phi_json_append_string(struct phi_buffer *buffer, const char *s, size_t n, struct phi_err *err);

#endif
