/* Makes GGUF files, good and bad, field by field: the readable generator of the tests' inputs.
 * Failures (no memory) stop the test. */
#ifndef TESTS_UNIT_GGUF_MAKER_H
#define TESTS_UNIT_GGUF_MAKER_H

#include "formats/core/buffer.h"
#include "formats/core/bytes.h"
#include "formats/core/value.h"

#include <stdbool.h>
#include <stdlib.h>

struct maker {
	struct phi_buffer bytes;
	unsigned version;
	bool big;
};

static inline void
made(int result)
{
	if (result)
		abort();
}

static inline void
put(struct maker *m, const void *bytes, size_t n)
{
	made(phi_buffer_append(&m->bytes, bytes, n, NULL));
}

/* A number of `width` bytes in the file's order. */
static inline void
put_number(struct maker *m, uint64_t v, unsigned width)
{
	uint8_t b[8];
	phi_store64(b, v);
	if (m->big)
		phi_swap_bytes(b, width, width);
	put(m, b, width);
}

static inline void
put_count(struct maker *m, uint64_t v)
{
	put_number(m, v, m->version == 1 ? 4 : 8);
}

static inline void
put_text(struct maker *m, const char *s)
{
	put_count(m, strlen(s));
	put(m, s, strlen(s));
}

static inline struct maker
start(unsigned version, bool big, uint64_t tensors, uint64_t keys)
{
	struct maker m = { .version = version, .big = big };
	put(&m, "GGUF", 4);
	put_number(&m, version, 4);
	put_count(&m, tensors);
	put_count(&m, keys);
	return m;
}

static inline void
put_key(struct maker *m, const char *key, uint32_t kind)
{
	put_text(m, key);
	put_number(m, kind, 4);
}

static inline void
put_u32(struct maker *m, const char *key, uint32_t v)
{
	put_key(m, key, PHI_VALUE_U32);
	put_number(m, v, 4);
}

static inline void
put_str(struct maker *m, const char *key, const char *v)
{
	put_key(m, key, PHI_VALUE_STRING);
	put_text(m, v);
}

/* ne0 is the row; the others are left out where 0. */
static inline void
put_info(struct maker *m, const char *name, uint64_t ne0, uint64_t ne1, uint32_t type,
	uint64_t offset)
{
	put_text(m, name);
	put_number(m, ne1 ? 2 : 1, 4);
	put_count(m, ne0);
	if (ne1)
		put_count(m, ne1);
	put_number(m, type, 4);
	put_number(m, offset, 8);
}

static inline void
pad(struct maker *m, size_t alignment)
{
	while (m->bytes.size % alignment)
		put(m, "", 1);
}

/* n bytes that differ from their neighbours, then padding. */
static inline void
put_data(struct maker *m, size_t n, unsigned seed, size_t alignment)
{
	for (size_t i = 0; i < n; i++) {
		const uint8_t b = (uint8_t)(seed + 7 * i);
		put(m, &b, 1);
	}
	pad(m, alignment);
}

#endif
