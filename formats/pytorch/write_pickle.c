/* What CPython's pickler makes, protocol 2, of {name: tensor, ...}, where torch's pickler stands between:
 *
 *     80 02  '}' memo  '(' entries 'u' ...  '.'        1000 entries between '(' and 'u'; one alone: 's'
 *     entry:    name  _rebuild_tensor_v2  '(' storage offset size stride False hooks 't' memo 'R' memo
 *               (_rebuild_tensor_v3 for dtypes without a storage class of their own: dtype after hooks)
 *     storage:  '(' "storage" class key "cpu" count 't' memo 'Q'
 *     hooks:    OrderedDict ')' 'R' memo
 *
 * Whatever was written once is 'h' n (or 'j' n) the next time; n counts what has a memo ('q' n, 'r' n). */
#include "formats/pytorch/write_pickle.h"

#include "formats/core/bytes.h"
#include "formats/core/memory.h"
#include "formats/core/names.h"

#include <stdio.h>

enum {
	BATCH = 1000, /* entries of a dict between MARK and SETITEMS */
	GLOBALS_MAX = 80,
};

/* Numbers of memos are PHI_NONE until there is one. */
struct global {
	const char *module, *name;
	uint32_t memo;
};

struct pickler {
	struct phi_buffer *out;
	uint32_t memos;
	struct global globals[GLOBALS_MAX];
	unsigned nglobals;
	uint32_t word_storage, word_cpu; /* the strings */
	uint32_t *keys;			 /* of each storage */
	struct phi_err *err;
	bool failed;
};

static void
put(struct pickler *p, const void *bytes, size_t n)
{
	if (!p->failed && phi_buffer_append(p->out, bytes, n, p->err))
		p->failed = true;
}

static void
put_op(struct pickler *p, char op)
{
	put(p, &op, 1);
}

/* An opcode with an index of the memo, short or long. */
static void
put_index(struct pickler *p, char narrow, char wide, uint32_t index)
{
	uint8_t bytes[5] = { (uint8_t)narrow, (uint8_t)index };
	if (index > UINT8_MAX) {
		bytes[0] = (uint8_t)wide;
		phi_store32(bytes + 1, index);
	}
	put(p, bytes, index > UINT8_MAX ? 5 : 2);
}

static uint32_t
memoize(struct pickler *p)
{
	put_index(p, 'q', 'r', p->memos);
	return p->memos++;
}

/* Is it there already? Then a reference to it is written. */
static bool
recall(struct pickler *p, uint32_t memo)
{
	if (memo == PHI_NONE)
		return false;
	put_index(p, 'h', 'j', memo);
	return true;
}

static void
put_string(struct pickler *p, const char *s, uint32_t *memo)
{
	uint8_t head[5] = "X";
	const size_t n = strlen(s);
	if (recall(p, *memo))
		return;
	phi_store32(head + 1, (uint32_t)n);
	put(p, head, sizeof head);
	put(p, s, n);
	*memo = memoize(p);
}

static void
put_global(struct pickler *p, const char *module, const char *name)
{
	unsigned i = 0;
	while (i < p->nglobals && (strcmp(p->globals[i].module, module) ||
		strcmp(p->globals[i].name, name)))
		i++;
	if (i < p->nglobals && recall(p, p->globals[i].memo))
		return;
	put_op(p, 'c');
	put(p, module, strlen(module));
	put_op(p, '\n');
	put(p, name, strlen(name));
	put_op(p, '\n');
	const uint32_t memo = memoize(p);
	if (p->nglobals < GLOBALS_MAX)
		p->globals[p->nglobals++] = (struct global){ module, name, memo };
}

/* 'K' u8, 'M' u16, 'J' i32, else the fewest bytes of two's complement. */
static void
put_integer(struct pickler *p, uint64_t v)
{
	uint8_t bytes[11] = { 0 };
	phi_store64(bytes + 2, v);
	if (v <= INT32_MAX) {
		const unsigned n = v <= UINT8_MAX ? 1 : v <= UINT16_MAX ? 2 : 4;
		bytes[1] = (uint8_t)(n == 1 ? 'K' : n == 2 ? 'M' : 'J');
		put(p, bytes + 1, 1 + n);
		return;
	}
	const unsigned bits = 64 - (unsigned)__builtin_clzll(v);
	bytes[0] = 0x8A;
	bytes[1] = (uint8_t)(bits / 8 + 1);
	put(p, bytes, 2u + bytes[1]);
}

/* What stands on the stack since the mark, or for up to three numbers the number of them. */
static void
end_tuple(struct pickler *p, unsigned n)
{
	static const char ops[] = { ')', '\x85', '\x86', '\x87', 't' };
	put_op(p, ops[n < 4 ? n : 4]);
	if (n)
		memoize(p);
}

static void
put_numbers(struct pickler *p, const uint64_t *v, unsigned n)
{
	if (n > 3)
		put_op(p, '(');
	for (unsigned i = 0; i < n; i++)
		put_integer(p, v[i]);
	end_tuple(p, n);
}

static void
put_storage(struct pickler *p, const struct phi_torch_kept *s, uint32_t number)
{
	char key[16];
	const bool typed = s->dtype->storage;
	snprintf(key, sizeof key, "%u", (unsigned)number);
	put_op(p, '(');
	put_string(p, "storage", &p->word_storage);
	put_global(p, typed ? "torch" : "torch.storage",
		typed ? s->dtype->storage : "UntypedStorage");
	put_string(p, key, &p->keys[number]);
	put_string(p, "cpu", &p->word_cpu);
	put_integer(p, typed ? s->bytes / s->dtype->bytes : s->bytes);
	put_op(p, 't');
	memoize(p);
	put_op(p, 'Q');
}

/* Sizes and strides as torch counts: of two numbers in a byte, the bytes. */
static void
put_geometry(struct pickler *p, const struct phi_torch_view *v, unsigned pair)
{
	const struct phi_tensor *const t = v->tensor;
	uint64_t size[PHI_RANK_MAX], stride[PHI_RANK_MAX], step = 1;
	for (unsigned d = t->rank; d-- > 0;) {
		size[d] = d + 1 == t->rank ? t->shape[d] / pair : t->shape[d];
		stride[d] = v->stride ? (uint64_t)v->stride[d] : step;
		step *= size[d] ? size[d] : 1;
	}
	put_numbers(p, size, t->rank);
	put_numbers(p, stride, t->rank);
}

static void
put_tensor(struct pickler *p, const struct phi_torch_view *v, const struct phi_torch_kept *s)
{
	const bool typed = s->dtype->storage;
	put_global(p, "torch._utils", typed ? "_rebuild_tensor_v2" : "_rebuild_tensor_v3");
	put_op(p, '(');
	put_storage(p, s, v->storage);
	put_integer(p, v->offset);
	put_geometry(p, v, phi_type_of((enum phi_type_id)s->dtype->id)->elements);
	put_op(p, '\x89');
	put_global(p, "collections", "OrderedDict");
	put(p, ")R", 2);
	memoize(p);
	if (!typed)
		put_global(p, "torch", s->dtype->name);
	put_op(p, 't');
	memoize(p);
	put_op(p, 'R');
	memoize(p);
}

/* The pickler ends a batch when it is full and then looks for more: after a full last one comes an
 * empty one. */
static void
put_entries(struct pickler *p, const struct phi_torch_view *views, size_t count,
	const struct phi_torch_kept *storages)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t memo = PHI_NONE;
		if (count > 1 && i % BATCH == 0)
			put_op(p, '(');
		put_string(p, views[i].tensor->name, &memo);
		put_tensor(p, &views[i], &storages[views[i].storage]);
		if (i % BATCH == BATCH - 1)
			put_op(p, 'u');
	}
	if (count == 1)
		put_op(p, 's');
	else if (count && count % BATCH)
		put_op(p, 'u');
	else if (count)
		put(p, "(u", 2);
}

int
phi_torch_pickle(struct phi_buffer *out, const struct phi_torch_view *views, size_t count,
	const struct phi_torch_kept *storages, size_t nstorages, struct phi_err *err)
{
	struct pickler p = { .out = out, .word_storage = PHI_NONE, .word_cpu = PHI_NONE,
		.keys = phi_calloc(nstorages, sizeof *p.keys, err), .err = err };
	if (!p.keys)
		return -1;
	for (size_t i = 0; i < nstorages; i++)
		p.keys[i] = PHI_NONE;
	put(&p, "\x80\x02}", 3);
	memoize(&p);
	put_entries(&p, views, count, storages);
	put_op(&p, '.');
	phi_free(p.keys);
	return p.failed ? -1 : 0;
}
