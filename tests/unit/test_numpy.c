/* Arrays of NumPy: every legal header, every lie one may tell; archives; what is written. */
#include "formats/core/buffer.h"
#include "formats/core/bytes.h"
#include "formats/core/memory.h"
#include "formats/core/spool.h"
#include "formats/numpy/descr.h"
#include "formats/numpy/literal.h"
#include "formats/numpy/read.h"
#include "tests/unit/scratch.h"
#include "tests/unit/zip_maker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

struct bytes {
	uint8_t data[4096];
	size_t size;
};

static int
read_bytes(void *from, uint64_t offset, void *dst, size_t n, struct phi_err *err)
{
	const struct bytes *const b = from;
	(void)err;
	assert_true(offset <= b->size && n <= b->size - offset);
	memcpy(dst, b->data + offset, n);
	return 0;
}

/* A .npy with this text as its header, and n bytes of data 0, 1, 2 ... */
static void
make(struct bytes *b, unsigned version, const char *text, size_t n)
{
	const size_t length = strlen(text), prefix = version == 1 ? 10 : 12;
	memcpy(b->data, "\x93NUMPY", 6);
	b->data[6] = (uint8_t)version;
	b->data[7] = 0;
	phi_store32(b->data + 8, (uint32_t)length);
	memcpy(b->data + prefix, text, length);
	for (size_t i = 0; i < n; i++)
		b->data[prefix + length + i] = (uint8_t)i;
	b->size = prefix + length + n;
}

static int
parse(struct phi_npy *npy, unsigned version, const char *text, size_t n, struct phi_err *err)
{
	static struct bytes b;
	make(&b, version, text, n);
	*err = (struct phi_err){ 0 };
	return phi_npy_parse(npy, read_bytes, &b, b.size, err);
}

static void
good_headers(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }  \n",
		"{\"shape\":(2,3),\"descr\":\"float32\",\"fortran_order\":False}",
		"{'shape': (2L, 3L), u'descr': u'=f4', 'fortran_order': False}",
		" \n{ 'descr' :\t'f',\r\n 'shape': ( 2 , 3 , ) , 'fortran_order' : False , } \n\n",
		"{'descr': '|f4', 'shape': (((2)), (3)), 'fortran_order': (False)}",
		"{'descr': ('f4'), 'shape': (+2, 3), 'fortran_order': False}",
	};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		for (unsigned version = 1; version <= 3; version++) {
			struct phi_npy npy;
			struct phi_err err;
			if (parse(&npy, version, texts[i], 24, &err))
				fail_msg("%s: %s", texts[i], err.text);
			assert_ptr_equal(npy.type, phi_type_of(PHI_F32));
			assert_int_equal(npy.rank, 2);
			assert_int_equal(npy.shape[0], 2);
			assert_int_equal(npy.shape[1], 3);
			assert_int_equal(npy.bytes, 24);
			assert_int_equal(npy.data, (version == 1 ? 10 : 12) + strlen(texts[i]));
			assert_false(npy.fortran || npy.swap || npy.guessed);
		}
}

static void
bad_headers(void **state)
{
	(void)state;
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "", "'{'" },
		{ "{", "at the end" },
		{ "{}", "descr is missing" },
		{ "{'descr': '<f4', 'fortran_order': False}", "shape is missing" },
		{ "{'descr': '<f4', 'descr': '<f8', 'fortran_order': False, 'shape': (1,)}", "twice" },
		{ "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}", "a key that" },
		{ "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}", "fortran_order" },
		{ "{'descr': '<f4', 'fortran_order': False, 'shape': (1)}", "no tuple" },
		{ "{'descr': '<f4', 'fortran_order': False, 'shape': [1]}", "no tuple" },
		{ "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", "no tuple" },
		{ "{'descr': '<f4', 'fortran_order': False, 'shape': (1.0,)}", "plain integer" },
		{ "{'descr': '<f4', 'fortran_order': False, 'shape': (0x10,)}", "plain integer" },
		{ "{'descr': '<f4', 'fortran_order': False, 'shape': (010,)}", "begins with 0" },
		{ "{'descr': '<f4', 'fortran_order': False, 'shape': (1e3,)}", "plain integer" },
		{ "{'descr': '<f4', 'fortran_order': False, 'shape': (18446744073709551616,)}",
			"64 bits" },
		{ "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}",
			"64 bits" },
		{ "{'descr': '<f8', 'fortran_order': False, 'shape': (2305843009213693952,)}",
			"64 bits" },
		{ "{'descr': '<f4', 'fortran_order': False, 'shape': (7,)}", "pass the end" },
		{ "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}",
			"9 dimensions" },
		{ "{'descr': '<f4', 'fortran_order': False, 'shape': (1 2)}", "comma" },
		{ "{'descr': '<f4' 'fortran_order': False, 'shape': (1,)}", "comma" },
		{ "{'descr', 'fortran_order': False, 'shape': (1,)}", "colon" },
		{ "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x", "follows" },
		{ "{'descr': '<f4, 'fortran_order': False, 'shape': (1,)}", "comma" },
		{ "{'descr': '<f4", "does not end" },
		{ "{'descr': __import__('os'), 'fortran_order': False, 'shape': (1,)}", "word" },
		{ "{'descr': exit, 'fortran_order': False, 'shape': (1,)}", "word" },
		{ "{'descr': 4, 'fortran_order': False, 'shape': (1,)}", "descr is no type" },
		{ "{'descr': ((((((((((((((((('f4'))))))))))))))))), 'shape': (1,)}", "nested" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct phi_npy npy;
		struct phi_err err;
		if (!parse(&npy, 1, cases[i].text, 24, &err))
			fail_msg("taken: %s", cases[i].text);
		if (!strstr(err.text, cases[i].says))
			fail_msg("%s: %s", cases[i].text, err.text);
	}
}

static void
bad_prefixes(void **state)
{
	(void)state;
	static const char text[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";
	struct bytes b;
	struct phi_npy npy;
	struct phi_err err = { 0 };
	/* Cut at every byte. */
	make(&b, 2, text, 8);
	for (size_t n = b.size, i = 0; i < n; i++) {
		b.size = i;
		assert_int_equal(phi_npy_parse(&npy, read_bytes, &b, b.size, &err), -1);
	}
	make(&b, 2, text, 8);
	b.data[6] = 4;
	assert_int_equal(phi_npy_parse(&npy, read_bytes, &b, b.size, &err), -1);
	assert_int_equal(err.kind, PHI_UNSUPPORTED);
	make(&b, 2, text, 8);
	phi_store32(b.data + 8, UINT32_MAX);
	assert_int_equal(phi_npy_parse(&npy, read_bytes, &b, b.size, &err), -1);
	assert_int_equal(err.kind, PHI_TRUNCATED);
	make(&b, 2, text, 8);
	phi_store32(b.data + 8, PHI_NPY_HEADER_MAX + 1);
	assert_int_equal(phi_npy_parse(&npy, read_bytes, &b, UINT64_C(1) << 40, &err), -1);
	assert_int_equal(err.kind, PHI_LIMIT);
}

static void
types(void **state)
{
	(void)state;
	static const struct {
		const char *descr;
		enum phi_type_id id; /* PHI_TYPES: none */
		bool swap, guessed;
	} cases[] = {
		{ "<f2", PHI_F16, false, false },
		{ ">f2", PHI_F16, true, false },
		{ "f8", PHI_F64, false, false },
		{ ">i1", PHI_I8, false, false },
		{ "|b1", PHI_BOOL, false, false },
		{ "?", PHI_BOOL, false, false },
		{ "l", PHI_I64, false, false },
		{ "uint16", PHI_U16, false, false },
		{ ">c16", PHI_C128, true, false },
		{ "<V2", PHI_BF16, false, false },
		{ "|V2", PHI_BF16, false, true },
		{ "<f1", PHI_F8_E5M2, false, false },
		{ "<V1", PHI_TYPES, false, false },
		{ "|O", PHI_TYPES, false, false },
		{ "|S5", PHI_TYPES, false, false },
		{ "<U3", PHI_TYPES, false, false },
		{ "<M8[ns]", PHI_TYPES, false, false },
		{ "<f16", PHI_TYPES, false, false },
		{ ">float32", PHI_TYPES, false, false },
		{ "", PHI_TYPES, false, false },
		{ "<", PHI_TYPES, false, false },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct phi_descr d = phi_descr_of(cases[i].descr, strlen(cases[i].descr));
		if (cases[i].id == PHI_TYPES) {
			assert_null(d.type);
			assert_non_null(d.what);
			continue;
		}
		assert_ptr_equal(d.type, phi_type_of(cases[i].id));
		assert_int_equal(d.swap, cases[i].swap);
		assert_int_equal(d.guessed, cases[i].guessed);
	}
	/* A NUL is no letter. */
	assert_null(phi_descr_of("\0", 1).type);
}

static void
records_are_none(void **state)
{
	(void)state;
	struct phi_npy npy;
	struct phi_err err;
	assert_int_equal(parse(&npy, 1,
				 "{'descr': [('a\\'', '<f4'), (('t', 'b'), '<i2', (2,))], "
				 "'fortran_order': False, 'shape': (3,), }",
				 0, &err),
		0);
	assert_null(npy.type);
	assert_non_null(strstr(npy.what, "records"));
}

struct opened {
	struct phi_store *store;
	struct phi_source *source;
	struct phi_err err;
};

static void
open_bytes(struct opened *o, const char *name, const void *bytes, size_t n)
{
	static const struct phi_spool_options spool = { .refuse = false };
	const struct phi_open_options options = { .size = sizeof options, .spool = &spool };
	*o = (struct opened){ 0 };
	scratch_write(name, bytes, n);
	o->store = phi_store_open(name, &spool, &o->err);
	o->source = o->store ? phi_numpy_open(o->store, &options, &o->err) : NULL;
}

static void
close_opened(struct opened *o)
{
	phi_source_close(o->source);
	phi_store_close(o->store);
}

/* Elements of a U8 tensor, as they are read. */
static void
expect(struct phi_source *source, size_t index, const char *name, const char *elements)
{
	const struct phi_tensor *const t = &source->model->tensors[index];
	uint8_t have[64];
	struct phi_err err;
	const size_t n = strlen(elements);
	assert_string_equal(t->name, name);
	assert_int_equal(phi_tensor_read(source, t, false, 0, n, have, &err), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(have[i], elements[i] - '0');
}

static void
lone_file(void **state)
{
	(void)state;
	struct bytes b;
	struct opened o;
	make(&b, 1, "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }", 6);
	open_bytes(&o, "weights.npy", b.data, b.size);
	assert_non_null(o.source);
	/* Columns lie in a row: 0 1 | 2 3 | 4 5. */
	expect(o.source, 0, "weights", "024135");
	close_opened(&o);
	make(&b, 1, "{'descr': '|O', 'fortran_order': False, 'shape': (2, 3), }", 6);
	open_bytes(&o, "weights.npy", b.data, b.size);
	assert_null(o.source);
	assert_int_equal(o.err.kind, PHI_UNSUPPORTED);
	assert_non_null(strstr(o.err.text, "pickle"));
	close_opened(&o);
	make(&b, 1, "{'descr': '|u1', 'fortran_order': False, 'shape': (4,), }", 6);
	open_bytes(&o, "weights.npy", b.data, b.size);
	assert_int_equal(o.source->model->nwarnings, 1);
	close_opened(&o);
}

/* Arrays of which some are deflated, some have a tail; and what is none. */
static void
make_archive(struct zip_maker *z)
{
	struct bytes b;
	memset(z, 0, sizeof *z);
	make(&b, 1, "{'descr': '|u1', 'fortran_order': False, 'shape': (4,), }", 4);
	zip_add(z, "plain.npy", b.data, b.size, 0);
	make(&b, 3, "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }", 5);
	zip_add(z, "a/b.npy", b.data, b.size, 8);
	zip_add(z, "readme", "hello, world", 12, 0);
	zip_add(z, "folder/", "", 0, 0);
	make(&b, 2, "{'descr': '<U1', 'fortran_order': False, 'shape': (1,), }", 4);
	zip_add(z, "text.npy", b.data, b.size, 8);
	make(&b, 1, "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 2), }", 4);
	zip_add(z, "no suffix", b.data, b.size, 8);
	zip_close(z);
}

static void
archives(void **state)
{
	(void)state;
	static struct zip_maker z;
	struct opened o;
	make_archive(&z);
	open_bytes(&o, "x.npz", z.bytes, z.size);
	if (!o.source)
		fail_msg("%s", o.err.text);
	assert_int_equal(o.source->model->ntensors, 3);
	expect(o.source, 0, "plain", "0123");
	expect(o.source, 1, "a/b", "012");
	expect(o.source, 2, "no suffix", "0213");
	/* What is left out, and what follows the end, is said once each. */
	assert_int_equal(o.source->model->nwarnings, 2);
	close_opened(&o);
	/* An empty archive is a model without tensors. */
	memset(&z, 0, sizeof z);
	zip_close(&z);
	open_bytes(&o, "x.npz", z.bytes, z.size);
	assert_non_null(o.source);
	assert_int_equal(o.source->model->ntensors, 0);
	close_opened(&o);
}

struct findings {
	char rules[512];
};

static int
collect(void *ctx, const struct phi_finding *f, struct phi_err *err)
{
	struct findings *const l = ctx;
	(void)err;
	strcat(strcat(l->rules, f->rule), " ");
	return 0;
}

static void
findings(void **state)
{
	(void)state;
	static struct zip_maker z;
	struct findings list = { "" };
	const struct phi_findings to = { .emit = collect, .ctx = &list };
	struct opened o;
	make_archive(&z);
	z.bytes[z.entries[2].header + 30 + 6]++; /* of "readme": its checksum is not looked at before */
	open_bytes(&o, "x.npz", z.bytes, z.size);
	assert_non_null(o.source);
	assert_int_equal(phi_numpy_check(o.source, &to, &o.err), 0);
	assert_string_equal(list.rules, "numpy.alignment numpy.alignment numpy.trailing numpy.entry "
					"numpy.entry numpy.elements numpy.name numpy.alignment "
					"zip.checksum ");
	close_opened(&o);
}

static void
headers_as_numpy_writes_them(void **state)
{
	(void)state;
	struct phi_buffer b = { 0 };
	const uint64_t shape[2] = { 1000, 3 };
	assert_int_equal(phi_npy_build(&b, phi_type_of(PHI_F32), 2, shape, NULL), 0);
	assert_int_equal(b.size, 128);
	assert_int_equal(b.data[127], '\n');
	static const char start[] =
		"\x93NUMPY\1\0v\0{'descr': '<f4', 'fortran_order': False, 'shape': (1000, 3), } ";
	assert_memory_equal(b.data, start, sizeof start - 1);
	b.size = 0;
	assert_int_equal(phi_npy_build(&b, phi_type_of(PHI_BOOL), 0, shape, NULL), 0);
	assert_non_null(memmem(b.data, b.size, "'|b1', 'fortran_order': False, 'shape': (), }", 44));
	b.size = 0;
	assert_int_equal(phi_npy_build(&b, phi_type_of(PHI_I64), 1, shape, NULL), 0);
	assert_non_null(memmem(b.data, b.size, "(1000,), }", 10));
	assert_int_equal(b.size % 64, 0);
	phi_buffer_free(&b);
	assert_null(phi_descr_name(phi_type_of(PHI_BF16)));
	assert_string_equal(phi_descr_nearest(phi_type_of(PHI_BF16)), "F32");
	assert_string_equal(phi_descr_nearest(phi_type_of(PHI_F8_E4M3)), "F16");
	assert_null(phi_descr_nearest(phi_type_of(PHI_C32)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_headers),
		cmocka_unit_test(bad_headers),
		cmocka_unit_test(bad_prefixes),
		cmocka_unit_test(types),
		cmocka_unit_test(records_are_none),
		cmocka_unit_test_setup_teardown(lone_file, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(archives, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(findings, scratch_enter, scratch_leave),
		cmocka_unit_test(headers_as_numpy_writes_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
