/* torch checkpoints: views of shared storages, byte orders, both containers, and what they may not
 * say. */
#include "formats/core/memory.h"
#include "formats/pytorch/read.h"
#include "tests/unit/scratch.h"
#include "tests/unit/torch_maker.h"
#include "tests/unit/zip_maker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

/* 2 x 3 numbers in storage 0: 0 1 2 / 3 4 5. */
static const uint8_t shorts[12] = { 0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0 };
static const struct made_tensor plain = { "plain", "ShortStorage", "0", 6, 0, { 2, 3 }, { 3, 1 },
	false };
static const struct made_tensor turned = { "turned", "ShortStorage", "0", 6, 0, { 3, 2 }, { 1, 3 },
	false };
static const struct made_tensor corner = { "corner", "ShortStorage", "0", 6, 1, { 2, 2 }, { 3, 1 },
	false };

struct opened {
	struct phi_store *store;
	struct phi_source *source;
	struct phi_err err;
};

static void
open_bytes(struct opened *o, const void *bytes, size_t n)
{
	static const struct phi_spool_options spool = { .beside = "." };
	static const struct phi_open_options options = { .size = sizeof options, .spool = &spool };
	*o = (struct opened){ .store = NULL };
	scratch_write("model.pt", bytes, n);
	o->store = phi_store_open("model.pt", &spool, &o->err);
	o->source = o->store ? phi_pytorch_open(o->store, &options, &o->err) : NULL;
	if (o->source && phi_model_check(o->source->model, &o->err)) {
		phi_source_close(o->source);
		o->source = NULL;
	}
}

static void
close_opened(struct opened *o)
{
	phi_source_close(o->source);
	phi_store_close(o->store);
}

static struct pickler
dict_of(const struct made_tensor *const *tensors, int n)
{
	struct pickler p = { .size = 0 };
	ops(&p, "\x80\x02}(");
	for (int i = 0; i < n; i++)
		op_tensor(&p, tensors[i]);
	ops(&p, "u.");
	return p;
}

static void
archive(struct zip_maker *z, const struct pickler *p, const char *order, int method)
{
	memset(z, 0, sizeof *z);
	zip_add(z, "m/data.pkl", p->bytes, p->size, method);
	if (order)
		zip_add(z, "m/byteorder", order, strlen(order), 0);
	zip_add(z, "m/data/0", shorts, sizeof shorts, method);
	zip_add(z, "m/version", "3\n", 2, 0);
	zip_close(z);
}

static void
check_values(struct opened *o, size_t tensor, const int *expected, size_t n, bool big)
{
	uint8_t bytes[32];
	const struct phi_tensor *const t = &o->source->model->tensors[tensor];
	assert_int_equal(phi_tensor_read(o->source, t, false, 0, n, bytes, &o->err), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(phi_load16(bytes + 2 * i), big ? expected[i] << 8 : expected[i]);
}

static void
check_three(struct opened *o, bool big)
{
	static const int all[] = { 0, 1, 2, 3, 4, 5 }, columns[] = { 0, 3, 1, 4, 2, 5 };
	static const int part[] = { 1, 2, 4, 5 };
	assert_string_equal(o->err.text, "");
	const struct phi_model *const m = o->source->model;
	assert_int_equal(m->ntensors, 3);
	assert_int_equal(m->nstorages, 1);
	assert_string_equal(m->tensors[1].name, "turned");
	assert_true(m->tensors[0].plane[0].dense);
	assert_false(m->tensors[1].plane[0].dense);
	check_values(o, 0, all, 6, big);
	check_values(o, 1, columns, 6, big);
	check_values(o, 2, part, 4, big);
}

static void
views(void **state)
{
	(void)state;
	static struct zip_maker z;
	static const struct made_tensor *const three[] = { &plain, &turned, &corner };
	const struct pickler p = dict_of(three, 3);
	for (int method = 0; method <= 8; method += 8)
		for (int big = 0; big < 2; big++) {
			struct opened o;
			archive(&z, &p, big ? "big" : method ? "little" : NULL, method);
			open_bytes(&o, z.bytes, z.size);
			check_three(&o, big);
			close_opened(&o);
		}
}

static void
truncation(void **state)
{
	(void)state;
	static struct zip_maker z;
	static const struct made_tensor *const three[] = { &plain, &turned, &corner };
	const struct pickler p = dict_of(three, 3);
	archive(&z, &p, "little", 0);
	for (size_t n = 0; n < z.size; n++) {
		struct opened o;
		open_bytes(&o, z.bytes, n);
		assert_null(o.source);
		assert_true(o.err.text[0] != 0);
		close_opened(&o);
	}
}

static void
refuses(void **state)
{
	(void)state;
	static struct zip_maker z;
	static const struct {
		struct made_tensor tensor;
		const char *says;
	} cases[] = {
		{ { "t", "ShortStorage", "0", 6, 1, { 2, 3 }, { 3, 1 }, false }, "element 6 of" },
		{ { "t", "ShortStorage", "0", 6, 0, { 2, 3 }, { 4, 1 }, false }, "element 6 of" },
		{ { "t", "ShortStorage", "0", 6, -1, { 2, 3 }, { 3, 1 }, false }, "offset" },
		{ { "t", "ShortStorage", "0", 6, 0, { -2, 3 }, { 3, 1 }, false }, "size" },
		{ { "t", "ShortStorage", "0", 6, 5, { 2, 3 }, { -1, -1 }, false }, "stride" },
		{ { "t", "ShortStorage", "0", 6, 0, { INT64_MAX, 8 }, { 0, 0 }, false }, "2^64" },
		{ { "t", "ShortStorage", "0", 6, 0, { INT64_MAX, 2 }, { 1, 1 }, false },
			"element" },
		{ { "t", "ShortStorage", "0", 6, INT64_MAX, { 2, 2 }, { INT64_MAX, INT64_MAX },
			  false },
			"2^64" },
		{ { "t", "ShortStorage", "0", 6, 0, { 1 << 20, 1 << 20 }, { 0, 0 }, false },
			"out of a storage" },
		{ { "t", "ShortStorage", "0", 7, 0, { 2, 3 }, { 3, 1 }, false },
			"the pickle says 14" },
		{ { "t", "ShortStorage", "0", INT64_MAX, 0, { 2, 3 }, { 3, 1 }, false },
			"the pickle says" },
		{ { "t", "LongStorage", "0", INT64_MAX, 0, { 2, 3 }, { 3, 1 }, false },
			"2^64 bytes" },
		{ { "t", "IntStorage", "0", 6, 0, { 2, 3 }, { 3, 1 }, false },
			"the pickle says 24" },
		{ { "t", "ShortStorage", "1", 6, 0, { 2, 3 }, { 3, 1 }, false },
			"data/1: is missing" },
		{ { "t", "ShortStorage", "../0", 6, 0, { 2, 3 }, { 3, 1 }, false },
			"no proper key" },
		{ { "t", "Strange", "0", 6, 0, { 2, 3 }, { 3, 1 }, false },
			"no class that is known" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct made_tensor *const one[] = { &cases[i].tensor };
		const struct pickler p = dict_of(one, 1);
		struct opened o;
		archive(&z, &p, NULL, 0);
		open_bytes(&o, z.bytes, z.size);
		if (o.source || !strstr(o.err.text, cases[i].says))
			fail_msg("case %zu: \"%s\" does not say \"%s\"", i, o.err.text,
				cases[i].says);
		close_opened(&o);
	}
	const struct made_tensor *const one[] = { &plain };
	const struct pickler p = dict_of(one, 1);
	struct opened o;
	archive(&z, &p, "middle", 0);
	open_bytes(&o, z.bytes, z.size);
	assert_null(o.source);
	assert_non_null(strstr(o.err.text, "neither little nor big"));
	close_opened(&o);
}

/* A checkpoint of training: the model is found, the rest is named; a list, a cycle and a bare
 * object do not stop the walk; an unknown class is not looked at. */
static void
trees(void **state)
{
	(void)state;
	static struct zip_maker z;
	struct pickler p = { .size = 0 };
	ops(&p, "\x80\x02}q\x01(");
	op_string(&p, "epoch");
	op_int(&p, 7);
	op_string(&p, "self");
	ops(&p, "h\x01");
	op_string(&p, "evil");
	ops(&p, "cos\nsystem\n(");
	op_string(&p, "true");
	ops(&p, "tR");
	op_string(&p, "state_dict");
	ops(&p, "ccollections\nOrderedDict\n)R(");
	op_tensor(&p, &plain);
	op_string(&p, "list");
	ops(&p, "](}(");
	op_tensor(&p, &turned);
	ops(&p, "ue");
	ops(&p, "u}(");
	op_string(&p, "_metadata");
	ops(&p, "Nubu.");
	struct opened o;
	archive(&z, &p, NULL, 0);
	open_bytes(&o, z.bytes, z.size);
	assert_string_equal(o.err.text, "");
	const struct phi_model *const m = o.source->model;
	assert_int_equal(m->ntensors, 2);
	assert_string_equal(m->tensors[0].name, "plain");
	assert_string_equal(m->tensors[1].name, "list.0.turned");
	assert_int_equal(phi_metadata_find(&m->metadata, "epoch")->i, 7);
	assert_int_equal(m->nwarnings, 1);
	assert_string_equal(
		m->warnings[0], "the model is \"state_dict\"; left out are: self, evil");
	close_opened(&o);
}

/* A list of one tensor a hundred thousand times: two bytes each in the file, a kilobyte in memory. */
static void
repeats(void **state)
{
	(void)state;
	enum { N = 100000 };
	static struct zip_maker z;
	static struct pickler p;
	static uint8_t text[8192 + 2 * N];
	p.size = 0;
	ops(&p, "\x80\x02](");
	op_tensor(&p, &plain);
	ops(&p, "q\x01");
	size_t n = p.size;
	memcpy(text, p.bytes, n);
	for (int i = 0; i < N; i++, n += 2)
		memcpy(text + n, "h\x01", 2);
	memcpy(text + n, "e.", 2);
	memset(&z, 0, sizeof z);
	zip_add(&z, "m/data.pkl", text, n + 2, 8);
	zip_add(&z, "m/data/0", shorts, sizeof shorts, 0);
	zip_close(&z);
	struct opened o;
	open_bytes(&o, z.bytes, z.size);
	assert_int_equal(o.err.kind, PHI_LIMIT);
	close_opened(&o);
}

/* The container before torch 1.6. */
static size_t
legacy_file(uint8_t *file, bool little, int64_t count)
{
	struct pickler p = { .size = 0 };
	op(&p, "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);
	op(&p, "\x80\x02M\xe9\x03.", 6);
	ops(&p, "\x80\x02}");
	op_string(&p, "little_endian");
	ops(&p, little ? "\x88s." : "\x89s.");
	ops(&p, "\x80\x02}(");
	struct made_tensor three[] = { plain, turned, corner };
	for (int i = 0; i < 3; i++) {
		three[i].legacy = true;
		op_tensor(&p, &three[i]);
	}
	ops(&p, "u.\x80\x02]");
	op_string(&p, "0");
	ops(&p, "a.");
	uint8_t n[8];
	phi_store64(n, (uint64_t)count);
	if (!little)
		phi_swap_bytes(n, 8, 8);
	op(&p, n, 8);
	op(&p, shorts, sizeof shorts);
	memcpy(file, p.bytes, p.size);
	return p.size;
}

static void
legacy(void **state)
{
	(void)state;
	static uint8_t file[4096];
	struct opened o;
	for (int little = 0; little < 2; little++) {
		open_bytes(&o, file, legacy_file(file, little, 6));
		check_three(&o, !little);
		close_opened(&o);
	}
	open_bytes(&o, file, legacy_file(file, true, 5));
	assert_non_null(strstr(o.err.text, "has 5 elements, but the pickle says 6"));
	close_opened(&o);
	const size_t size = legacy_file(file, true, 6);
	open_bytes(&o, file, size + 1);
	assert_non_null(strstr(o.err.text, "bytes follow"));
	close_opened(&o);
	for (size_t n = 1; n < size; n++) {
		open_bytes(&o, file, n);
		assert_null(o.source);
		assert_true(o.err.text[0] != 0);
		close_opened(&o);
	}
}

/* The storage of a tensor that is left out stands before the model's. */
static void
legacy_training(void **state)
{
	(void)state;
	static const struct made_tensor moment = { "moment", "ByteStorage", "1", 3, 0, { 1, 3 },
		{ 3, 1 }, true };
	struct made_tensor weight = plain;
	struct pickler p = { .size = 0 };
	weight.legacy = true;
	op(&p, "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);
	op(&p, "\x80\x02M\xe9\x03.", 6);
	ops(&p, "\x80\x02}");
	op_string(&p, "little_endian");
	ops(&p, "\x88s.\x80\x02}(");
	op_string(&p, "optimizer");
	ops(&p, "}(");
	op_tensor(&p, &moment);
	ops(&p, "u");
	op_string(&p, "model");
	ops(&p, "}(");
	op_tensor(&p, &weight);
	ops(&p, "uu.\x80\x02](");
	op_string(&p, "1");
	op_string(&p, "0");
	ops(&p, "e.");
	op(&p, "\3\0\0\0\0\0\0\0abc\6\0\0\0\0\0\0\0", 19);
	op(&p, shorts, sizeof shorts);
	struct opened o;
	open_bytes(&o, p.bytes, p.size);
	assert_string_equal(o.err.text, "");
	assert_int_equal(o.source->model->ntensors, 1);
	check_values(&o, 0, (const int[]){ 0, 1, 2, 3, 4, 5 }, 6, false);
	close_opened(&o);
}

/* One tensor in a dict, by the opcodes of its call's end. */
static void
open_one(struct opened *o, const struct pickler *p)
{
	static struct zip_maker z;
	archive(&z, p, NULL, 0);
	open_bytes(o, z.bytes, z.size);
	assert_string_equal(o->err.text, "");
}

/* A negated, transposed view: a made storage, read from and to any byte. */
static void
negated(void **state)
{
	(void)state;
	static const uint8_t expected[12] = { 0, 0x80, 3, 0x80, 1, 0x80, 4, 0x80, 2, 0x80, 5, 0x80 };
	struct pickler p = { .size = 0 };
	ops(&p, "\x80\x02}(");
	op_string(&p, "w");
	ops(&p, "ctorch._utils\n_rebuild_tensor_v2\n(");
	op_storage(&p, "HalfStorage", "0", 6, false);
	op_int(&p, 0);
	op_tuple(&p, (const int64_t[]){ 3, 2 }, 2);
	op_tuple(&p, (const int64_t[]){ 1, 3 }, 2);
	ops(&p, "\x89"
		"ccollections\nOrderedDict\n)R}");
	op_string(&p, "neg");
	ops(&p, "\x88stRu.");
	struct opened o;
	open_one(&o, &p);
	assert_int_equal(o.source->model->nstorages, 2);
	const uint32_t storage = o.source->model->tensors[0].plane[0].storage;
	assert_int_equal(o.source->model->storages[storage].size, sizeof expected);
	for (size_t at = 0; at < sizeof expected; at++)
		for (size_t n = 1; at + n <= sizeof expected; n++) {
			uint8_t bytes[12];
			assert_int_equal(
				phi_source_read(o.source, storage, at, bytes, n, &o.err), 0);
			assert_memory_equal(bytes, expected + at, n);
		}
	close_opened(&o);
}

/* Codes of 4 bits that do not end with their rows: a byte each, from any code on. */
static void
quantized(void **state)
{
	(void)state;
	static const uint8_t expected[21] = { 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5 };
	struct pickler p = { .size = 0 };
	ops(&p, "\x80\x02}(");
	op_string(&p, "w");
	ops(&p, "ctorch._utils\n_rebuild_qtensor\n(");
	op_storage(&p, "QUInt4x2Storage", "0", 12, false);
	op_int(&p, 0);
	op_tuple(&p, (const int64_t[]){ 3, 7 }, 2);
	op_tuple(&p, (const int64_t[]){ 7, 1 }, 2);
	ops(&p, "(ctorch\nper_tensor_affine\nG");
	op(&p, "\x3f\xe0\0\0\0\0\0\0", 8);
	op_int(&p, 3);
	ops(&p, "t\x89"
		"ccollections\nOrderedDict\n)RtRu.");
	struct opened o;
	open_one(&o, &p);
	const struct phi_tensor *const t = &o.source->model->tensors[0];
	assert_string_equal(t->type->name, "QUINT4X2 TENSOR F32 ZP");
	assert_int_equal(t->nplanes, 3);
	uint8_t bytes[21];
	for (size_t at = 0; at < sizeof expected; at++) {
		const size_t n = sizeof expected - at;
		assert_int_equal(phi_source_read(o.source, t->plane[0].storage, at, bytes, n, &o.err), 0);
		assert_memory_equal(bytes, expected + at, n);
	}
	assert_int_equal(phi_source_read(o.source, t->plane[1].storage, t->plane[1].offset, bytes, 4, &o.err), 0);
	assert_int_equal(phi_load32(bytes), 0x3f000000);
	assert_int_equal(phi_source_read(o.source, t->plane[2].storage, t->plane[2].offset, bytes, 4, &o.err), 0);
	assert_int_equal(phi_load32(bytes), 0x40400000);
	close_opened(&o);
}

/* An attribute that is a parameter too has that name only; a buffer that is not saved has none. */
static void
modules(void **state)
{
	(void)state;
	struct made_tensor weight = plain, cache = turned, loose = corner;
	struct pickler p = { .size = 0 };
	weight.name = "weight";
	cache.name = "cache";
	loose.name = "loose";
	ops(&p, "\x80\x02"
		"cnet\nNet\n)\x81}(");
	op_string(&p, "_parameters");
	ops(&p, "}(");
	op_tensor(&p, &weight);
	ops(&p, "q\x01u");
	op_string(&p, "_buffers");
	ops(&p, "}(");
	op_tensor(&p, &cache);
	ops(&p, "u");
	op_string(&p, "_non_persistent_buffers_set");
	ops(&p, "c__builtin__\nset\n](");
	op_string(&p, "cache");
	ops(&p, "e\x85R");
	op_string(&p, "_modules");
	ops(&p, "}");
	op_string(&p, "flat");
	ops(&p, "](h\x01"
		"e");
	op_tensor(&p, &loose);
	ops(&p, "ub.");
	struct opened o;
	open_one(&o, &p);
	const struct phi_model *const m = o.source->model;
	assert_int_equal(m->ntensors, 2);
	assert_string_equal(m->tensors[0].name, "weight");
	assert_string_equal(m->tensors[1].name, "loose");
	close_opened(&o);
}

/* Two values of one path: both are there. */
static void
clashes(void **state)
{
	(void)state;
	struct made_tensor a = plain, b = turned;
	struct pickler p = { .size = 0 };
	a.name = b.name = "w";
	ops(&p, "\x80\x02}(");
	op_tensor(&p, &a);
	op_tensor(&p, &b);
	ops(&p, "u.");
	struct opened o;
	open_one(&o, &p);
	assert_int_equal(o.source->model->ntensors, 2);
	assert_string_equal(o.source->model->tensors[1].name, "w~2");
	assert_string_equal(o.source->model->warnings[0], "two tensors are called w; one is shown as w~2");
	close_opened(&o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(views),
		cmocka_unit_test(truncation),
		cmocka_unit_test(refuses),
		cmocka_unit_test(trees),
		cmocka_unit_test(repeats),
		cmocka_unit_test(legacy),
		cmocka_unit_test(legacy_training),
		cmocka_unit_test(negated),
		cmocka_unit_test(quantized),
		cmocka_unit_test(modules),
		cmocka_unit_test(clashes),
	};
	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
