/* Makes ONNX models, field by field, and opens them: the readable generator of the tests' inputs. A message is a
 * buffer; the one it is put into frees it. Failures (no memory) stop the test. */
#ifndef TESTS_UNIT_ONNX_MAKER_H
#define TESTS_UNIT_ONNX_MAKER_H

#include "formats/core/buffer.h"
#include "formats/core/bytes.h"
#include "formats/core/wire.h"
#include "formats/onnx/read.h"
#include "tests/unit/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

typedef struct phi_buffer message;

static inline void
made(int result)
{
	if (result)
		abort();
}

static inline void
number(message *m, uint32_t field, uint64_t v)
{
	made(phi_wire_put_varint(m, field, v, NULL));
}

static inline void
bytes(message *m, uint32_t field, const void *data, size_t n)
{
	made(phi_wire_put_bytes(m, field, data, n, NULL));
}

static inline void
text(message *m, uint32_t field, const char *s)
{
	bytes(m, field, s, strlen(s));
}

static inline void
within(message *m, uint32_t field, message inner)
{
	bytes(m, field, inner.data ? (const void *)inner.data : "", inner.size);
	phi_buffer_free(&inner);
}

/* A packed field of varints. */
static inline void
varints(message *m, uint32_t field, const uint64_t *values, size_t n)
{
	message packed = { 0 };
	for (size_t i = 0; i < n; i++) {
		uint64_t v = values[i];
		for (; v > 0x7f; v >>= 7)
			made(phi_buffer_append(&packed, &(uint8_t){ (uint8_t)(v | 0x80) }, 1, NULL));
		made(phi_buffer_append(&packed, &(uint8_t){ (uint8_t)v }, 1, NULL));
	}
	within(m, field, packed);
}

enum { FLOAT = 1, UINT8 = 2, INT8 = 3, INT64 = 7, STRING = 8, FLOAT16 = 10, UINT4 = 21, INT4 = 22, INT2 = 26 };

/* A TensorProto without numbers; a dimension of UINT64_MAX is the end, none is there if `first` is. */
static inline message
tensor(const char *name, uint64_t type, uint64_t first, uint64_t second)
{
	message m = { 0 };
	if (first != UINT64_MAX)
		number(&m, 1, first);
	if (second != UINT64_MAX)
		number(&m, 1, second);
	number(&m, 2, type);
	if (name)
		text(&m, 8, name);
	return m;
}

static inline message
raw(const char *name, uint64_t type, uint64_t first, uint64_t second, const void *data, size_t n)
{
	message m = tensor(name, type, first, second);
	bytes(&m, 9, data, n);
	return m;
}

/* key and value of external_data. */
static inline void
entry(message *m, uint32_t field, const char *key, const char *value)
{
	message e = { 0 };
	text(&e, 1, key);
	text(&e, 2, value);
	within(m, field, e);
}

static inline message
external(const char *name, uint64_t n, const char *location, const char *offset, const char *length)
{
	message m = tensor(name, FLOAT, n, UINT64_MAX);
	entry(&m, 13, "location", location);
	if (offset)
		entry(&m, 13, "offset", offset);
	if (length)
		entry(&m, 13, "length", length);
	number(&m, 14, 1);
	return m;
}

/* A NodeProto; inputs and outputs are words, divided by blanks. */
static inline message
node(const char *op, const char *inputs, const char *outputs)
{
	message m = { 0 };
	const char *const lists[] = { inputs, outputs };
	for (uint32_t l = 0; l < 2; l++)
		for (const char *p = lists[l]; *p; p += p[strcspn(p, " ")] ? strcspn(p, " ") + 1 : strlen(p))
			bytes(&m, l + 1, p, strcspn(p, " "));
	text(&m, 4, op);
	return m;
}

/* An AttributeProto with one message. */
static inline message
attribute(const char *name, uint32_t field, message inner, uint64_t type)
{
	message m = { 0 };
	text(&m, 1, name);
	within(&m, field, inner);
	number(&m, 20, type);
	return m;
}

static inline message
number_attribute(const char *name, uint64_t v)
{
	message m = { 0 };
	text(&m, 1, name);
	number(&m, 3, v);
	number(&m, 20, 2);
	return m;
}

static inline message
model(message graph)
{
	message m = { 0 }, opset = { 0 };
	number(&m, 1, 10);
	text(&m, 2, "tests");
	within(&m, 7, graph);
	number(&opset, 2, 21);
	within(&m, 8, opset);
	return m;
}

/* A model of one initializer. */
static inline message
model_of_tensor(message t)
{
	message g = { 0 };
	within(&g, 1, node("MatMul", "x w", "y"));
	within(&g, 5, t);
	return model(g);
}

/* An opened model: the file a.onnx of the scratch folder. */
struct opened {
	struct phi_store *store;
	struct phi_source *source;
	struct phi_err err;
};

static inline struct opened
open_file(const char *path)
{
	static const struct phi_spool_options spool = { .refuse = true };
	struct opened o = { 0 };
	o.store = phi_store_open(path, &spool, &o.err);
	assert_non_null(o.store);
	o.source = phi_onnx_open(o.store, NULL, &o.err);
	if (o.source)
		assert_int_equal(phi_model_check(o.source->model, &o.err), 0);
	return o;
}

static inline void
close_opened(struct opened *o)
{
	phi_source_close(o->source);
	phi_store_close(o->store);
}

static inline struct opened
open_message(message m)
{
	scratch_write("a.onnx", m.data, m.size);
	phi_buffer_free(&m);
	return open_file("a.onnx");
}

static inline struct opened
open_good(message m)
{
	const struct opened o = open_message(m);
	if (!o.source)
		fail_msg("%s", o.err.text);
	return o;
}

/* The model is refused, and WHY is said. */
static inline void
refused(message m, const char *why)
{
	struct opened o = open_message(m);
	if (o.source || !strstr(o.err.text, why))
		fail_msg("%s, not: %s", o.source ? "taken" : o.err.text, why);
	close_opened(&o);
}

static inline const struct phi_tensor *
named(const struct opened *o, const char *name)
{
	for (size_t i = 0; i < o->source->model->ntensors; i++)
		if (!strcmp(o->source->model->tensors[i].name, name))
			return &o->source->model->tensors[i];
	fail_msg("no tensor %s", name);
	return NULL;
}

/* The bytes of a tensor are these. */
static inline void
holds(const struct opened *o, const char *name, const void *want, size_t n)
{
	uint8_t have[1 << 16];
	struct phi_err err = { 0 };
	const struct phi_tensor *const t = named(o, name);
	const uint32_t s = t->plane[0].storage;
	assert_int_equal(o->source->model->storages[s].size, n);
	assert_int_equal(phi_source_read(o->source, s, t->plane[0].offset, have, n, &err), 0);
	assert_memory_equal(have, want, n);
}

#endif
