/* Typed metadata: an ordered list of keys and values, as GGUF has them; the other formats' metadata
 * are a subset. config.json is flattened into it with dots (config.h). Strings are counted and may
 * hold any byte. Everything lives in the arena the list was made with. */
#ifndef PHI_CORE_VALUE_H
#define PHI_CORE_VALUE_H

#include "formats/core/arena.h"

#include <stdbool.h>
#include <stdint.h>

enum phi_value_kind {
	PHI_VALUE_U8,
	PHI_VALUE_I8,
	PHI_VALUE_U16,
	PHI_VALUE_I16,
	PHI_VALUE_U32,
	PHI_VALUE_I32,
	PHI_VALUE_F32,
	PHI_VALUE_BOOL,
	PHI_VALUE_STRING,
	PHI_VALUE_ARRAY,
	PHI_VALUE_U64,
	PHI_VALUE_I64,
	PHI_VALUE_F64, /* 0 to 12 are GGUF's numbers, on purpose */
	PHI_VALUE_NULL,
};

struct phi_string {
	const char *data; /* size bytes and a NUL that does not count */
	size_t size;
};

struct phi_value {
	enum phi_value_kind kind;
	union {
		uint64_t u; /* U8 U16 U32 U64 */
		int64_t i;  /* I8 I16 I32 I64 */
		double f;   /* F32 (exactly that float) and F64 */
		bool b;
		struct phi_string s;
		struct {
			enum phi_value_kind kind; /* never ARRAY */
			uint64_t count;
			/* count elements in the machine's order: uint8_t .. double by kind, bool as
			 * uint8_t 0/1, strings as struct phi_string */
			const void *data;
		} array;
	};
};

struct phi_meta {
	const char *key;
	struct phi_value value;
};

struct phi_metadata {
	struct phi_meta *items; /* in the arena; in the file's order */
	size_t count, capacity;
};

/* Bytes of one element of an array of this kind (struct phi_string for strings; 0 for ARRAY, NULL). */
size_t phi_value_width(enum phi_value_kind kind);
/* "u8" ... "f64", "bool", "string", "array", "null": as JSON output and messages spell them. */
const char *phi_value_name(enum phi_value_kind kind);

/* The value of a key, or NULL. Linear: lists have tens of keys. */
const struct phi_value *phi_metadata_find(const struct phi_metadata *list, const char *key);

/* Appends; does not look for duplicates. Key and value are lent and must live in `arena` or longer;
 * phi_metadata_add copies the key into the arena. */
int phi_metadata_add(struct phi_metadata *list, struct phi_arena *arena, const char *key,
	struct phi_value value, struct phi_err *err);
/* Replaces the value in place where the key exists, else appends (as a Python dict does). */
int phi_metadata_set(struct phi_metadata *list, struct phi_arena *arena, const char *key,
	struct phi_value value, struct phi_err *err);
/* Takes a key out, keeping the order of the rest; no error if it is not there. */
void phi_metadata_remove(struct phi_metadata *list, const char *key);

/* Are all values strings? Also of no values at all. */
bool phi_metadata_only_strings(const struct phi_metadata *list);

/* Makers. Strings are copied into the arena by phi_metadata_add_string only. */
int phi_metadata_add_string(struct phi_metadata *list, struct phi_arena *arena, const char *key,
	const char *s, struct phi_err *err);
int phi_metadata_add_u32(struct phi_metadata *list, struct phi_arena *arena, const char *key,
	uint32_t v, struct phi_err *err);
int phi_metadata_add_f32(struct phi_metadata *list, struct phi_arena *arena, const char *key,
	double v, struct phi_err *err);
int phi_metadata_add_bool(struct phi_metadata *list, struct phi_arena *arena, const char *key,
	bool v, struct phi_err *err);

/* Reads a number whatever integer kind it is; false if it is no integer or does not fit. */
bool phi_value_u64(const struct phi_value *v, uint64_t *out);
/* Reads an integer or a float as a double; false otherwise. */
bool phi_value_f64(const struct phi_value *v, double *out);
/* The string, or NULL if v is NULL, no string, or holds a NUL byte. */
const char *phi_value_string(const struct phi_value *v);

#endif
