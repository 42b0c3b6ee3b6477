/* Reading GGUF: what is in the file is in the model, from files and pipes, whole and cut. */
#include "tests/unit/gguf_open.h"

/* A file with a key of every kind and two tensors: a matrix of F32 and a row of Q8_0. */
static struct maker
sample(unsigned version, bool big)
{
	struct maker m = start(version, big, 2, 14);
	put_str(&m, "general.architecture", "phi3");
	put_key(&m, "u8", PHI_VALUE_U8);
	put_number(&m, 200, 1);
	put_key(&m, "i8", PHI_VALUE_I8);
	put_number(&m, (uint8_t)-100, 1);
	put_key(&m, "u16", PHI_VALUE_U16);
	put_number(&m, 60000, 2);
	put_key(&m, "i16", PHI_VALUE_I16);
	put_number(&m, (uint16_t)-30000, 2);
	put_u32(&m, "u32", 4000000000);
	put_key(&m, "i32", PHI_VALUE_I32);
	put_number(&m, (uint32_t)-2000000000, 4);
	put_key(&m, "f32", PHI_VALUE_F32);
	put_number(&m, phi_bits32(0.1f), 4);
	put_key(&m, "bool", PHI_VALUE_BOOL);
	put_number(&m, 7, 1);
	put_key(&m, "u64", PHI_VALUE_U64);
	put_number(&m, UINT64_MAX, 8);
	put_key(&m, "i64", PHI_VALUE_I64);
	put_number(&m, (uint64_t)INT64_MIN, 8);
	put_key(&m, "f64", PHI_VALUE_F64);
	put_number(&m, phi_bits64(0.1), 8);
	put_key(&m, "numbers", PHI_VALUE_ARRAY);
	put_number(&m, PHI_VALUE_I16, 4);
	put_count(&m, 3);
	for (int i = -1; i < 2; i++)
		put_number(&m, (uint16_t)(i * 300), 2);
	put_key(&m, "words", PHI_VALUE_ARRAY);
	put_number(&m, PHI_VALUE_STRING, 4);
	put_count(&m, 3);
	put_text(&m, "one");
	put_text(&m, "");
	put_count(&m, 3);
	put(&m, "a\0b", 3);
	put_info(&m, "blk.0.ffn_up.weight", 4, 3, 0, 0);
	put_info(&m, "blk.0.ffn_down.weight", 32, 0, big ? 1 : 8, 64);
	pad(&m, 32);
	put_data(&m, 48, 1, 32);
	put_data(&m, big ? 64 : 34, 2, 32);
	return m;
}

static const struct phi_value *
value(const struct phi_model *model, const char *key)
{
	const struct phi_value *const v = phi_metadata_find(&model->metadata, key);
	assert_non_null(v);
	return v;
}

static void
check_sample(const struct phi_model *model, bool big)
{
	assert_int_equal(model->metadata.count, 14);
	assert_string_equal(model->view, "gguf");
	assert_string_equal(phi_value_string(value(model, "general.architecture")), "phi3");
	assert_int_equal(value(model, "u8")->u, 200);
	assert_int_equal(value(model, "i8")->i, -100);
	assert_int_equal(value(model, "u16")->u, 60000);
	assert_int_equal(value(model, "i16")->i, -30000);
	assert_int_equal(value(model, "u32")->u, 4000000000);
	assert_int_equal(value(model, "i32")->i, -2000000000);
	assert_true(value(model, "f32")->f == (double)0.1f);
	assert_true(value(model, "bool")->b);
	assert_true(value(model, "u64")->u == UINT64_MAX);
	assert_true(value(model, "i64")->i == INT64_MIN);
	assert_true(value(model, "f64")->f == 0.1);
	const struct phi_value *const numbers = value(model, "numbers");
	assert_int_equal(numbers->array.kind, PHI_VALUE_I16);
	assert_int_equal(numbers->array.count, 3);
	const int16_t *const n = numbers->array.data;
	assert_true(n[0] == -300 && n[1] == 0 && n[2] == 300);
	const struct phi_string *const words = value(model, "words")->array.data;
	assert_int_equal(words[0].size, 3);
	assert_string_equal(words[0].data, "one");
	assert_int_equal(words[1].size, 0);
	assert_int_equal(words[2].size, 3);
	assert_memory_equal(words[2].data, "a\0b", 4);
	assert_int_equal(model->ntensors, 2);
	const struct phi_tensor *const up = &model->tensors[0], *const down = &model->tensors[1];
	assert_string_equal(up->name, "blk.0.ffn_up.weight");
	assert_int_equal(up->rank, 2);
	assert_true(up->shape[0] == 3 && up->shape[1] == 4);
	assert_string_equal(up->type->name, "F32");
	assert_int_equal(up->plane[0].swap, big);
	assert_int_equal(down->rank, 1);
	assert_string_equal(down->type->name, big ? "F16" : "Q8_0");
	assert_int_equal(model->storages[down->plane[0].storage].size, big ? 64 : 34);
	assert_int_equal(model->nwarnings, 0);
}

static void
every_kind_in_every_version(void **state)
{
	(void)state;
	for (unsigned version = 1; version <= 3; version++) {
		struct maker m = sample(version, false);
		struct opened o = open_made(&m);
		check_sample(o.source->model, false);
		close_opened(&o);
	}
}

static void
big_endian(void **state)
{
	(void)state;
	struct maker m = sample(3, true);
	struct opened o = open_made(&m);
	check_sample(o.source->model, true);
	close_opened(&o);
}

static void
check_bytes(struct phi_source *source)
{
	struct phi_err err = { 0 };
	uint8_t bytes[48];
	for (uint32_t s = 0; s < 2; s++) {
		const size_t n = source->model->storages[s].size;
		/* In two runs, with a gap between them: what a pipe skips is gone. */
		assert_int_equal(phi_source_read(source, s, 0, bytes, 5, &err), 0);
		assert_int_equal(phi_source_read(source, s, 9, bytes + 9, n - 9, &err), 0);
		for (size_t i = 0; i < n; i = i == 4 ? 9 : i + 1)
			assert_int_equal(bytes[i], (uint8_t)(s + 1 + 7 * i));
	}
	assert_int_equal(phi_source_finish(source, &err), 0);
}

static void
file_and_pipe_give_the_same(void **state)
{
	(void)state;
	for (int pipes = 0; pipes < 2; pipes++) {
		struct maker m = sample(3, false);
		struct opened o = open_bytes(m.bytes.data, m.bytes.size, pipes);
		assert_non_null(o.source);
		assert_int_equal(o.source->sequential, pipes);
		check_sample(o.source->model, false);
		check_bytes(o.source);
		close_opened(&o);
		phi_buffer_free(&m.bytes);
	}
}

/* Larger than every buffer on the way: a vocabulary, a long string, a long array, a header beyond what can
 * be peeked, and data behind it. */
static void
large_values(void **state)
{
	(void)state;
	enum { WORDS = 9000, TEXT = 200000, NUMBERS = 40000 };
	for (int pipes = 0; pipes < 2; pipes++) {
		struct maker m = start(3, false, 1, 3);
		put_key(&m, "words", PHI_VALUE_ARRAY);
		put_number(&m, PHI_VALUE_STRING, 4);
		put_count(&m, WORDS);
		for (int i = 0; i < WORDS; i++) {
			char word[16];
			snprintf(word, sizeof word, "word%d", i);
			put_text(&m, word);
		}
		put_key(&m, "text", PHI_VALUE_STRING);
		put_count(&m, TEXT);
		put_data(&m, TEXT, 3, 1);
		put_key(&m, "numbers", PHI_VALUE_ARRAY);
		put_number(&m, PHI_VALUE_F32, 4);
		put_count(&m, NUMBERS);
		for (int i = 0; i < NUMBERS; i++)
			put_number(&m, phi_bits32((float)i), 4);
		put_info(&m, "t", 4, 0, 0, 0);
		pad(&m, 32);
		put_data(&m, 16, 9, 32);
		struct opened o = open_bytes(m.bytes.data, m.bytes.size, pipes);
		assert_non_null(o.source);
		const struct phi_model *const model = o.source->model;
		const struct phi_string *const words = value(model, "words")->array.data;
		for (int i = 0; i < WORDS; i++) {
			char word[16];
			snprintf(word, sizeof word, "word%d", i);
			assert_string_equal(words[i].data, word);
		}
		const struct phi_string text = value(model, "text")->s;
		assert_int_equal(text.size, TEXT);
		for (int i = 0; i < TEXT; i++)
			assert_int_equal((uint8_t)text.data[i], (uint8_t)(3 + 7 * i));
		const float *const numbers = value(model, "numbers")->array.data;
		for (int i = 0; i < NUMBERS; i++)
			assert_true(numbers[i] == (float)i);
		uint8_t data[16];
		assert_int_equal(phi_source_read(o.source, 0, 0, data, 16, &o.err), 0);
		assert_int_equal(data[15], (uint8_t)(9 + 7 * 15));
		assert_int_equal(phi_source_finish(o.source, &o.err), 0);
		close_opened(&o);
		phi_buffer_free(&m.bytes);
	}
}

/* Cut at every byte: the file is refused on opening; a pipe then, or where the bytes are missing. The
 * padding at the very end may be missing. */
static void
truncated_everywhere(void **state)
{
	(void)state;
	struct maker m = sample(3, false);
	const size_t whole = m.bytes.size - 30; /* 34 bytes end 30 before a multiple of 32 */
	for (size_t n = 1; n < m.bytes.size; n++) {
		struct opened o = open_bytes(m.bytes.data, n, false);
		assert_int_equal(o.source != NULL, n >= whole);
		if (!o.source)
			assert_int_equal(o.err.kind, PHI_TRUNCATED);
		close_opened(&o);
		o = open_bytes(m.bytes.data, n, true);
		if (!o.source || phi_source_finish(o.source, &o.err)) {
			assert_true(n < whole);
			assert_int_equal(o.err.kind, PHI_TRUNCATED);
		} else {
			assert_true(n >= whole);
		}
		close_opened(&o);
	}
	phi_buffer_free(&m.bytes);
}

/* Legal by the specification, refused by llama.cpp: read, and said. */
static void
any_order_and_holes(void **state)
{
	(void)state;
	struct maker m = start(3, false, 4, 0);
	put_info(&m, "last", 8, 0, 0, 129);
	put_info(&m, "first", 8, 0, 0, 0);
	put_info(&m, "none", 0, 3, 0, 64);
	put_info(&m, "middle", 8, 0, 0, 64);
	pad(&m, 32);
	put_data(&m, 129 + 32 + 31 + 5, 0, 1);
	struct opened o = open_made(&m);
	const struct phi_model *const model = o.source->model;
	assert_string_equal(model->tensors[0].name, "last");
	assert_int_equal(model->tensors[1].plane[0].storage, 0);
	assert_int_equal(model->tensors[2].plane[0].storage, 1);
	assert_int_equal(model->tensors[3].plane[0].storage, 2);
	assert_int_equal(model->tensors[0].plane[0].storage, 3);
	for (size_t i = 1; i < model->nstorages; i++)
		assert_true(model->storages[i - 1].offset <= model->storages[i].offset);
	assert_int_equal(model->nwarnings, 4);
	assert_non_null(strstr(model->warnings[0], "not in the order"));
	assert_non_null(strstr(model->warnings[1], "not aligned to 32"));
	/* 32 between first and middle, 33 between middle and last */
	assert_non_null(strstr(model->warnings[2], "65 bytes between"));
	assert_non_null(strstr(model->warnings[3], "5 bytes after"));
	close_opened(&o);
}

static void
odd_but_legal(void **state)
{
	(void)state;
	struct maker m = start(3, false, 0, 0); /* a file of nothing, without padding */
	struct opened o = open_made(&m);
	assert_int_equal(o.source->model->ntensors, 0);
	close_opened(&o);
	m = start(3, false, 3, 1);
	put_u32(&m, "general.alignment", 64);
	put_info(&m, "empty", 0, UINT32_MAX, 0, 0);
	put_text(&m, "scalar");
	put_number(&m, 0, 4); /* rank 0 */
	put_number(&m, 28, 4);
	put_number(&m, 0, 8);
	put_info(&m, "row", 256, 0, 12, 64);
	pad(&m, 64);
	const size_t data = m.bytes.size;
	put_data(&m, 64 + 144, 0, 64);
	o = open_made(&m);
	const struct phi_model *const model = o.source->model;
	assert_int_equal(model->nwarnings, 0);
	assert_int_equal(model->storages[0].size, 0);
	assert_int_equal(model->tensors[1].rank, 0);
	assert_int_equal(model->storages[1].size, 8);
	assert_int_equal(model->storages[2].offset, data + 64);
	assert_int_equal(model->storages[2].size, 144);
	close_opened(&o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_in_every_version),
		cmocka_unit_test(big_endian),
		cmocka_unit_test(file_and_pipe_give_the_same),
		cmocka_unit_test(large_values),
		cmocka_unit_test(truncated_everywhere),
		cmocka_unit_test(any_order_and_holes),
		cmocka_unit_test(odd_but_legal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
