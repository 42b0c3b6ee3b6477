/* Spells pickles of torch checkpoints, opcode by opcode. */
#ifndef PHI_TESTS_TORCH_MAKER_H
#define PHI_TESTS_TORCH_MAKER_H

#include "formats/core/bytes.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct pickler {
	uint8_t bytes[4096];
	size_t size;
};

static inline void
op(struct pickler *p, const void *bytes, size_t n)
{
	memcpy(p->bytes + p->size, bytes, n);
	p->size += n;
}

static inline void
ops(struct pickler *p, const char *text)
{
	op(p, text, strlen(text));
}

static inline void
op_string(struct pickler *p, const char *s)
{
	uint8_t n[4];
	phi_store32(n, (uint32_t)strlen(s));
	ops(p, "X");
	op(p, n, 4);
	ops(p, s);
}

static inline void
op_int(struct pickler *p, int64_t v)
{
	uint8_t bytes[8];
	phi_store64(bytes, (uint64_t)v);
	op(p, "\x8a\x08", 2);
	op(p, bytes, 8);
}

static inline void
op_tuple(struct pickler *p, const int64_t *v, int n)
{
	ops(p, "(");
	for (int i = 0; i < n; i++)
		op_int(p, v[i]);
	ops(p, "t");
}

static inline void
op_storage(struct pickler *p, const char *class, const char *key, int64_t count, bool legacy)
{
	ops(p, "(");
	op_string(p, "storage");
	ops(p, "ctorch\n");
	ops(p, class);
	ops(p, "\n");
	op_string(p, key);
	op_string(p, "cpu");
	op_int(p, count);
	ops(p, legacy ? "NtQ" : "tQ");
}

/* A name and a tensor of rank 2, as two values of a dict. */
struct made_tensor {
	const char *name, *class, *key;
	int64_t count, offset, size[2], stride[2];
	bool legacy;
};

static inline void
op_tensor(struct pickler *p, const struct made_tensor *t)
{
	op_string(p, t->name);
	ops(p, "ctorch._utils\n_rebuild_tensor_v2\n(");
	op_storage(p, t->class, t->key, t->count, t->legacy);
	op_int(p, t->offset);
	op_tuple(p, t->size, 2);
	op_tuple(p, t->stride, 2);
	ops(p, "\x89"
	       "ccollections\nOrderedDict\n)RtR");
}

#endif
