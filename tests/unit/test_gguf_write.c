/* Writing GGUF: golden bytes, the same bytes back, and what is refused. */
#include "formats/core/pump.h"
#include "formats/gguf/ftype.h"
#include "tests/unit/gguf_open.h"
#include "tests/unit/scratch.h"

#include <inttypes.h>

static struct phi_plan *
plan_of(const struct phi_model *model, uint32_t alignment, struct phi_err *err)
{
	const struct phi_plan_options options = { .size = sizeof options, .alignment = alignment };
	struct phi_model *const lowered = phi_gguf_lower(model, NULL, err);
	return lowered ? phi_plan_new(lowered, &phi_format_gguf, &options, err) : NULL;
}

/* Runs a plan into `path`, or in order into it as stdout. */
static int
run(struct phi_source *source, const struct phi_plan *plan, const char *path, bool in_order,
	struct phi_err *err)
{
	const struct phi_output_options output_options = { .force = true, .no_sync = true };
	const struct phi_pump_options options = { .size = sizeof options, .jobs = 2 };
	int saved = -1;
	if (in_order) {
		fflush(stdout);
		saved = dup(1);
		const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
		assert_int_equal(dup2(fd, 1), 1);
		close(fd);
	}
	struct phi_output *const output = phi_output_open(
		in_order ? PHI_OUTPUT_STDOUT : PHI_OUTPUT_FILES, path, &output_options, err);
	struct phi_sink *const sink = output ? phi_sink_open(plan, output, err) : NULL;
	const int result = sink ? phi_pump(source, sink, &options, err) : -1;
	phi_sink_close(sink);
	if (in_order) {
		assert_int_equal(dup2(saved, 1), 1);
		close(saved);
	}
	return result;
}

/* Opens the bytes, writes them as out.gguf. */
static void
repack(const void *bytes, size_t n, bool from_pipe, bool to_pipe, uint32_t alignment)
{
	struct opened o = open_bytes(bytes, n, from_pipe);
	assert_non_null(o.source);
	struct phi_plan *const plan = plan_of(o.source->model, alignment, &o.err);
	if (!plan || run(o.source, plan, "out.gguf", to_pipe, &o.err))
		fail_msg("%s", o.err.text);
	phi_plan_free(plan);
	close_opened(&o);
}

static void
same_bytes(const struct maker *m)
{
	for (int ways = 0; ways < 4; ways++) {
		long n;
		repack(m->bytes.data, m->bytes.size, ways & 1, ways & 2, 0);
		const char *const out = scratch_read("out.gguf", &n);
		assert_int_equal(n, m->bytes.size);
		assert_memory_equal(out, m->bytes.data, n);
	}
}

/* As the reference writes: dense, in order, version 3. */
static struct maker
reference(uint32_t alignment)
{
	struct maker m = start(3, false, 5, 14);
	put_str(&m, "general.architecture", "llama");
	put_u32(&m, "general.alignment", alignment);
	put_key(&m, "u8", PHI_VALUE_U8);
	put_number(&m, 255, 1);
	put_key(&m, "i8", PHI_VALUE_I8);
	put_number(&m, 0x80, 1);
	put_key(&m, "u16", PHI_VALUE_U16);
	put_number(&m, 65535, 2);
	put_key(&m, "i16", PHI_VALUE_I16);
	put_number(&m, 0x8000, 2);
	put_key(&m, "i32", PHI_VALUE_I32);
	put_number(&m, 0x80000000, 4);
	put_key(&m, "f32", PHI_VALUE_F32);
	put_number(&m, 0x7fc00001, 4); /* a NaN keeps its payload */
	put_key(&m, "bool", PHI_VALUE_BOOL);
	put_number(&m, 1, 1);
	put_key(&m, "u64", PHI_VALUE_U64);
	put_number(&m, UINT64_MAX, 8);
	put_key(&m, "i64", PHI_VALUE_I64);
	put_number(&m, (uint64_t)INT64_MIN, 8);
	put_key(&m, "f64", PHI_VALUE_F64);
	put_number(&m, 0xfff8000000000001, 8);
	put_key(&m, "flags", PHI_VALUE_ARRAY);
	put_number(&m, PHI_VALUE_BOOL, 4);
	put_count(&m, 3);
	put(&m, "\1\0\1", 3);
	put_key(&m, "words", PHI_VALUE_ARRAY);
	put_number(&m, PHI_VALUE_STRING, 4);
	put_count(&m, 2);
	put_count(&m, 3);
	put(&m, "a\0b", 3);
	put_text(&m, "\xff\xfe"); /* no UTF-8 */
	uint64_t offset = 0;
	const struct {
		const char *name;
		uint64_t ne0, ne1, bytes;
		uint32_t type;
	} tensors[] = {
		{ "output_norm.weight", 5, 0, 20, 0 },
		{ "one.row", 3, 1, 6, 30 },
		{ "nothing", 32, 0, 34, 8 },
		{ "blk.0.attn_q.weight", 256, 2, 288, 12 },
		{ "blk.0.ids", 7, 0, 28, 26 },
	};
	for (size_t i = 0; i < 5; i++) {
		put_info(&m, tensors[i].name, tensors[i].ne0, tensors[i].ne1, tensors[i].type, offset);
		offset += (tensors[i].bytes + alignment - 1) / alignment * alignment;
	}
	pad(&m, alignment);
	for (size_t i = 0; i < 5; i++)
		put_data(&m, tensors[i].bytes, (unsigned)i, alignment);
	return m;
}

static void
the_same_bytes_back(void **state)
{
	(void)state;
	static const uint32_t alignments[] = { 1, 32, 64, 4096 };
	for (size_t i = 0; i < 4; i++) {
		struct maker m = reference(alignments[i]);
		same_bytes(&m);
		phi_buffer_free(&m.bytes);
	}
	struct maker m = start(3, false, 0, 1); /* a vocabulary alone ends with its keys */
	put_str(&m, "general.architecture", "llama");
	same_bytes(&m);
	phi_buffer_free(&m.bytes);
}

static void
older_versions_become_3(void **state)
{
	(void)state;
	struct maker expected = { 0 };
	for (unsigned version = 3; version >= 1; version--) {
		long n;
		struct maker m = start(version, false, 1, 1);
		put_str(&m, "general.architecture", "phi2");
		put_info(&m, "output.weight", 4, 2, 0, 0);
		pad(&m, 32);
		put_data(&m, 32, 5, 32);
		if (version == 3)
			expected = m;
		repack(m.bytes.data, m.bytes.size, false, false, 0);
		const char *const out = scratch_read("out.gguf", &n);
		assert_int_equal(n, expected.bytes.size);
		assert_memory_equal(out, expected.bytes.data, n);
		if (version < 3)
			phi_buffer_free(&m.bytes);
	}
	phi_buffer_free(&expected.bytes);
}

/* A big-endian file comes out little-endian, data too. */
static void
big_becomes_little(void **state)
{
	(void)state;
	struct maker made_in[2];
	for (int big = 0; big < 2; big++) {
		struct maker *const m = &made_in[big];
		*m = start(3, big, 2, 2);
		put_u32(m, "answer", 42);
		put_key(m, "halves", PHI_VALUE_ARRAY);
		put_number(m, PHI_VALUE_F64, 4);
		put_count(m, 2);
		put_number(m, phi_bits64(0.5), 8);
		put_number(m, phi_bits64(1.5), 8);
		put_info(m, "a", 4, 2, 0, 0);
		put_info(m, "b", 3, 0, 1, 32);
		pad(m, 32);
		for (unsigned i = 0; i < 8; i++)
			put_number(m, 0x01020304 * i, 4);
		for (unsigned i = 0; i < 3; i++)
			put_number(m, 0x3c00 + i, 2);
		pad(m, 32);
	}
	for (int ways = 0; ways < 4; ways++) {
		long n;
		repack(made_in[1].bytes.data, made_in[1].bytes.size, ways & 1, ways & 2, 0);
		const char *const out = scratch_read("out.gguf", &n);
		assert_int_equal(n, made_in[0].bytes.size);
		assert_memory_equal(out, made_in[0].bytes.data, n);
	}
	phi_buffer_free(&made_in[0].bytes);
	phi_buffer_free(&made_in[1].bytes);
}

/* Holes are closed and the data follows the list. */
static void
reordered_becomes_dense(void **state)
{
	(void)state;
	struct maker expected = start(3, false, 2, 0), m = start(3, false, 2, 0);
	put_info(&expected, "x", 8, 0, 0, 0);
	put_info(&expected, "y", 4, 0, 0, 32);
	pad(&expected, 32);
	put_data(&expected, 32, 1, 32);
	put_data(&expected, 16, 2, 32);
	put_info(&m, "x", 8, 0, 0, 96);
	put_info(&m, "y", 4, 0, 0, 0);
	pad(&m, 32);
	put_data(&m, 16, 2, 32);
	put_data(&m, 64, 9, 32);
	put_data(&m, 32, 1, 32);
	for (int ways = 0; ways < 4; ways++) {
		long n;
		repack(m.bytes.data, m.bytes.size, ways & 1, ways & 2, 0);
		const char *const out = scratch_read("out.gguf", &n);
		assert_int_equal(n, expected.bytes.size);
		assert_memory_equal(out, expected.bytes.data, n);
	}
	phi_buffer_free(&m.bytes);
	phi_buffer_free(&expected.bytes);
}

static void
alignment_can_be_chosen(void **state)
{
	(void)state;
	long n;
	struct maker m = start(3, false, 2, 0), expected = start(3, false, 2, 1);
	put_u32(&expected, "general.alignment", 256);
	for (int i = 0; i < 2; i++) {
		struct maker *const to = i ? &expected : &m;
		const size_t alignment = i ? 256 : 32;
		put_info(to, "x", 8, 0, 0, 0);
		put_info(to, "y", 8, 0, 0, alignment);
		pad(to, alignment);
		put_data(to, 32, 1, alignment);
		put_data(to, 32, 2, alignment);
	}
	repack(m.bytes.data, m.bytes.size, false, false, 256);
	const char *const out = scratch_read("out.gguf", &n);
	assert_int_equal(n, expected.bytes.size);
	assert_memory_equal(out, expected.bytes.data, n);
	struct opened o = open_made(&m);
	assert_null(plan_of(o.source->model, 48, &o.err));
	assert_non_null(strstr(o.err.text, "48 is no power of two"));
	close_opened(&o);
	phi_buffer_free(&expected.bytes);
}

/* A canonical model of one tensor of this type, to be refused; the message. */
static struct phi_model *
model_of(const char *name, enum phi_type_id type, unsigned rank)
{
	struct phi_model *const model = phi_model_new("test", NULL);
	struct phi_tensor *const t = phi_model_add_tensor(model, NULL);
	t->name = name;
	t->type = phi_type_of(type);
	t->rank = rank;
	for (unsigned i = 0; i < rank; i++)
		t->shape[i] = i + 1 == rank ? 32 : 2;
	t->nplanes = 1;
	t->plane[0] = (struct phi_plane){ .dense = true };
	uint64_t bytes;
	assert_true(phi_tensor_bytes(t, &bytes));
	struct phi_storage *const s = phi_model_add_storage(model, NULL);
	s->size = bytes;
	return model;
}

static void
refused_with(struct phi_model *model, const char *words)
{
	struct phi_err err = { 0 };
	struct phi_plan *const plan = plan_of(model, 0, &err);
	assert_null(plan);
	if (!strstr(err.text, words))
		fail_msg("%s", err.text);
	phi_model_free(model);
}

static void
what_gguf_cannot_hold(void **state)
{
	(void)state;
	char name[65];
	memset(name, 'n', 64);
	name[64] = 0;
	refused_with(model_of(name, PHI_F32, 1), "a name of 64 bytes");
	refused_with(model_of("deep", PHI_F32, 5), "tensor deep: 5 dimensions");
	refused_with(model_of("b", PHI_BOOL, 1), "tensor b: gguf cannot hold BOOL; --exclude leaves a tensor out");
	refused_with(model_of("u", PHI_U8, 1), "cannot hold U8; --exclude leaves");
	refused_with(model_of("f8", PHI_F8_E4M3, 1), "nearest it can is F16");
	refused_with(model_of("c", PHI_C64, 1), "cannot hold C64; --exclude leaves");
	struct phi_err err = { 0 };
	name[63] = 0;
	struct phi_model *const model = model_of(name, PHI_Q4_0, 4);
	struct phi_plan *const plan = plan_of(model, 0, &err);
	assert_non_null(plan);
	phi_plan_free(plan);
	phi_model_free(model);
}

static void
file_types(void **state)
{
	(void)state;
	assert_int_equal(phi_gguf_ftype_named("q8_0")->id, 7);
	assert_int_equal(phi_gguf_ftype_named("Q4_K_M")->id, 15);
	assert_int_equal(phi_gguf_ftype_named("q4_k")->id, 15);
	assert_int_equal(phi_gguf_ftype_named("bf16")->id, 32);
	assert_null(phi_gguf_ftype_named("int4"));
	assert_string_equal(phi_gguf_ftype_numbered(15)->name, "q4_k_m");
	assert_string_equal(phi_gguf_ftype_numbered(0)->name, "f32");
	assert_null(phi_gguf_ftype_numbered(4));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_bytes_back),
		cmocka_unit_test(older_versions_become_3),
		cmocka_unit_test(big_becomes_little),
		cmocka_unit_test(reordered_becomes_dense),
		cmocka_unit_test(alignment_can_be_chosen),
		cmocka_unit_test(what_gguf_cannot_hold),
		cmocka_unit_test(file_types),
	};
	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
