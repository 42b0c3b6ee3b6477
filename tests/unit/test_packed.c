/* Packed weights: each packing by hand, read whole and in parts; and files that lie. */
#include "formats/core/bytes.h"
#include "formats/formats.h"
#include "quant/quant.h"
#include "tests/unit/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { DATA = 4096 };

/* A safetensors file in the making. */
struct maker {
	char header[4096];
	uint8_t data[DATA];
	size_t used, size;
};

static void
add(struct maker *m, const char *name, const char *dtype, const char *shape, const void *data, size_t n)
{
	m->used += (size_t)snprintf(m->header + m->used, sizeof m->header - m->used,
		"%s\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%zu,%zu]}",
		m->used ? "," : "", name, dtype, shape, m->size, m->size + n);
	assert_true(m->size + n <= sizeof m->data);
	memcpy(m->data + m->size, data, n);
	m->size += n;
}

static struct phi_source *
open_made(const struct maker *m, struct phi_err *err)
{
	uint8_t file[8 + sizeof m->header + DATA];
	const int n = snprintf((char *)file + 8, sizeof m->header + 2, "{%s}", m->header);
	phi_store64(file, (uint64_t)n);
	memcpy(file + 8 + n, m->data, m->size);
	scratch_write("packed.safetensors", file, 8 + (size_t)n + m->size);
	const struct phi_open_options options = { .size = sizeof options };
	return phi_open("packed.safetensors", &options, err);
}

static const char *
warning(const struct phi_source *source)
{
	return source->model->nwarnings ? source->model->warnings[0] : "";
}

/* The file is one tensor: of this type and shape, with these values; read in all parts, too. */
static void
expect(const struct maker *m, const char *type, uint64_t rows, uint64_t columns, const float *values)
{
	struct phi_err err = { 0 };
	struct phi_source *const source = open_made(m, &err);
	assert_string_equal(err.text, "");
	assert_string_equal(warning(source), "");
	assert_int_equal(source->model->ntensors, 1);
	const struct phi_tensor *const t = &source->model->tensors[0];
	assert_string_equal(t->name, "m.weight");
	assert_string_equal(t->type->name, type);
	assert_int_equal(t->shape[t->rank - 2], rows);
	assert_int_equal(t->shape[t->rank - 1], columns);
	const uint64_t n = rows * columns;
	float got[1024];
	assert_true(n <= 1024);
	for (uint64_t first = 0; first < n; first += first < 3 ? 1 : n / 3)
		for (uint64_t k = 1; k <= n - first; k += k < 3 ? 1 : n / 4 + 1) {
			assert_int_equal(phi_tensor_load(source, t, phi_quant_converters.unpack, false,
				first, k, got, &err), 0);
			for (uint64_t i = 0; i < k; i++)
				assert_true(got[i] == values[first + i]);
		}
	uint64_t bytes;
	assert_true(phi_tensor_bytes(t, &bytes) && bytes <= m->size);
	phi_source_close(source);
}

/* Writes code i, `bits` wide, of a stream of bits. */
static void
put(uint8_t *stream, unsigned i, unsigned bits, unsigned code)
{
	for (unsigned b = 0; b < bits; b++)
		if (code >> b & 1)
			stream[(i * bits + b) / 8] |= (uint8_t)(1 << (i * bits + b) % 8);
}

static const uint8_t halves[64] = { 0, 0x38, 0, 0x38, 0, 0x38, 0, 0x38, 0, 0x38, 0, 0x38, 0, 0x38, 0, 0x38,
	0, 0x38, 0, 0x38, 0, 0x38, 0, 0x38, 0, 0x38, 0, 0x38, 0, 0x38, 0, 0x38,
	0, 0x38, 0, 0x38, 0, 0x38, 0, 0x38, 0, 0x38, 0, 0x38, 0, 0x38, 0, 0x38,
	0, 0x38, 0, 0x38, 0, 0x38, 0, 0x38, 0, 0x38, 0, 0x38, 0, 0x38, 0, 0x38 }; /* 0.5 in F16 */

/* 32 inputs and outputs in one group of `bits` bits; every stored zero is 1, so 2 of v1. */
static void
make_gptq(struct maker *m, float *values, unsigned bits, const char *zeros_shape)
{
	uint8_t codes[8][32][4] = { { { 0 } } }, zeros[32] = { 0 };
	char shape[32];
	for (unsigned o = 0; o < 32; o++) {
		uint8_t column[32] = { 0 };
		for (unsigned i = 0; i < 32; i++) {
			const unsigned q = (5 * i + o) & ((1U << bits) - 1);
			put(column, i, bits, q);
			values[o * 32 + i] = ((float)q - 2) * 0.5f;
		}
		for (unsigned w = 0; w < bits; w++)
			memcpy(codes[w][o], column + 4 * w, 4);
		put(zeros, o, bits, 1);
	}
	snprintf(shape, sizeof shape, "[%u,32]", bits);
	add(m, "m.qweight", "I32", shape, codes, bits * 128);
	snprintf(shape, sizeof shape, "[1,%u]", bits);
	add(m, "m.qzeros", "I32", zeros_shape ? zeros_shape : shape, zeros, bits * 4);
	add(m, "m.scales", "F16", "[1,32]", halves, 64);
}

static void
gptq(void **state)
{
	(void)state;
	static const unsigned widths[] = { 2, 3, 4, 8 };
	for (size_t i = 0; i < 4; i++) {
		struct maker m = { .used = 0 };
		float values[1024];
		char type[64];
		make_gptq(&m, values, widths[i], NULL);
		/* One group is a channel. */
		snprintf(type, sizeof type, "INT%u CHANNEL F16 ZP GPTQ", widths[i]);
		expect(&m, type, 32, 32, values);
	}
}

static void
awq(void **state)
{
	(void)state;
	/* Nibbles from the lowest up are columns 0 2 4 6 1 3 5 7. */
	static const uint32_t words[2] = { 0x75316420, 0xFDB9ECA8 }, zero = 0x11111111;
	float values[16];
	struct maker m = { .used = 0 };
	uint8_t bytes[12];
	phi_store32(bytes, words[0]), phi_store32(bytes + 4, words[1]), phi_store32(bytes + 8, zero);
	add(&m, "m.qweight", "I32", "[2,1]", bytes, 8);
	add(&m, "m.qzeros", "I32", "[1,1]", bytes + 8, 4);
	add(&m, "m.scales", "F16", "[1,8]", halves, 16);
	for (unsigned o = 0; o < 8; o++)
		for (unsigned i = 0; i < 2; i++)
			values[o * 2 + i] = ((float)(o + 8 * i) - 1) * 0.5f;
	expect(&m, "INT4 CHANNEL F16 ZP AWQ", 8, 2, values);
}

static void
put_float(uint8_t *dst, float f)
{
	phi_store32(dst, phi_bits32(f));
}

static void
make_nf4(struct maker *m, float *values, bool nested, bool complete)
{
	static const char plain[] = "{\"blocksize\":64,\"shape\":[3,43]}";
	static const char more[] =
		"{\"blocksize\":64,\"shape\":[3,43],\"nested_blocksize\":256,\"nested_offset\":0.5}";
	uint8_t codes[65] = { 0 }, map[64], absmax[12], nested_map[1024] = { 0 }, nested_absmax[4];
	for (unsigned i = 0; i < 16; i++)
		put_float(map + 4 * i, (float)i - 4);
	put_float(nested_absmax, 2);
	for (unsigned b = 0; b < 3; b++) {
		put_float(absmax + 4 * b, (float)b + 1);
		put_float(nested_map + 4 * b, ((float)b + 0.5f) / 2);
	}
	for (unsigned i = 0; i < 129; i++) {
		codes[i / 2] |= (uint8_t)((i * 7 % 16) << (i % 2 ? 0 : 4));
		values[i] = ((float)(i * 7 % 16) - 4) * (float)(i / 64 + 1);
	}
	const uint8_t nested_codes[3] = { 0, 1, 2 };
	add(m, "m.weight", "U8", "[65,1]", codes, 65);
	add(m, "m.weight.absmax", nested ? "U8" : "F32", "[3]", nested ? nested_codes : absmax,
		nested ? 3 : 12);
	add(m, "m.weight.quant_map", "F32", "[16]", map, 64);
	char shape[32];
	const char *const text = nested ? more : plain;
	snprintf(shape, sizeof shape, "[%zu]", strlen(text));
	add(m, "m.weight.quant_state.bitsandbytes__nf4", "U8", shape, text, strlen(text));
	if (nested)
		add(m, "m.weight.nested_absmax", "F32", "[1]", nested_absmax, 4);
	if (nested && complete)
		add(m, "m.weight.nested_quant_map", "F32", "[256]", nested_map, 1024);
}

static void
bitsandbytes(void **state)
{
	(void)state;
	float values[129];
	for (unsigned nested = 0; nested < 2; nested++) {
		struct maker m = { .used = 0 };
		make_nf4(&m, values, nested, true);
		expect(&m, nested ? "NF4 G64 U8/F32 BNB" : "NF4 G64 F32 BNB", 3, 43, values);
	}
	struct maker m = { .used = 0 };
	uint8_t scales[8];
	put_float(scales, 127), put_float(scales + 4, 254);
	static const int8_t codes[4] = { 127, -127, 0, -1 };
	add(&m, "m.weight", "I8", "[2,2]", codes, 4);
	add(&m, "m.SCB", "F32", "[2]", scales, 8);
	const float f = 7.874015718698502e-3f;
	const float int8[4] = { 127.0f * 127 * f, -127.0f * 127 * f, 0, -254.0f * f };
	expect(&m, "INT8 CHANNEL F32 BNB", 2, 2, int8);
}

/* 3 bits: the eleventh code of a row lies in two words. */
static void
compressed(void **state)
{
	(void)state;
	struct maker m = { .used = 0 };
	uint8_t words[16] = { 0 }, shape[16], scales[8];
	float values[22];
	for (unsigned i = 0; i < 22; i++) {
		put(words + i / 11 * 8, i % 11, 3, i * 3 % 8);
		values[i] = ((float)(i * 3 % 8) - 4) * (i / 11 ? 2.0f : 1.0f);
	}
	put_float(scales, 1), put_float(scales + 4, 2);
	phi_store64(shape, 2), phi_store64(shape + 8, 11);
	add(&m, "m.weight_packed", "I32", "[2,2]", words, 16);
	add(&m, "m.weight_shape", "I64", "[2]", shape, 16);
	add(&m, "m.weight_scale", "F32", "[2,1]", scales, 8);
	expect(&m, "INT3 CHANNEL F32 CT", 2, 11, values);
}

static void
blocks(void **state)
{
	(void)state;
	/* 1.0 and -2.0 in E4M3, of 130 columns: two blocks. */
	uint8_t codes[260], scales[8];
	float values[260];
	struct maker m = { .used = 0 };
	put_float(scales, 3), put_float(scales + 4, 0.5f);
	for (unsigned i = 0; i < 260; i++) {
		codes[i] = i % 3 ? 0x38 : 0xC0;
		values[i] = (i % 3 ? 1.0f : -2.0f) * (i % 130 < 128 ? 3 : 0.5f);
	}
	add(&m, "m.weight", "F8_E4M3", "[2,130]", codes, 260);
	add(&m, "m.weight_scale_inv", "F32", "[1,2]", scales, 8);
	expect(&m, "F8_E4M3 B128X128 F32", 2, 130, values);
}

static void
experts(void **state)
{
	(void)state;
	static const float f4[16] = { 0, .5f, 1, 1.5f, 2, 3, 4, 6, -0.f, -.5f, -1, -1.5f, -2, -3, -4, -6 };
	uint8_t codes[48];
	const uint8_t scales[3] = { 127, 128, 126 };
	float values[96];
	struct maker m = { .used = 0 };
	for (unsigned o = 0; o < 3; o++)
		for (unsigned i = 0; i < 32; i++) {
			const unsigned q = (o + i) % 16;
			codes[o * 16 + i / 2] =
				(uint8_t)(i % 2 ? codes[o * 16 + i / 2] | q << 4 : q);
			values[i * 3 + o] = f4[q] * (o == 0 ? 1 : o == 1 ? 2 : 0.5f);
		}
	add(&m, "m.weight_blocks", "U8", "[1,3,1,16]", codes, 48);
	add(&m, "m.weight_scales", "U8", "[1,3,1]", scales, 3);
	expect(&m, "F4 R32 F8_E8M0", 32, 3, values);
}

/* Members stay, and one warning says why. */
static void
expect_raw(const struct maker *m, size_t ntensors, const char *why)
{
	struct phi_err err = { 0 };
	struct phi_source *const source = open_made(m, &err);
	assert_string_equal(err.text, "");
	assert_int_equal(source->model->ntensors, ntensors);
	assert_int_equal(source->model->nwarnings, 1);
	if (!strstr(warning(source), why))
		fail_msg("\"%s\" does not say \"%s\"", warning(source), why);
	phi_source_close(source);
}

static void
left_raw(void **state)
{
	(void)state;
	static const uint8_t bytes[1024];
	float values[1024];
	struct maker m = { .used = 0 };
	add(&m, "m.qweight", "I32", "[4,32]", bytes, 512);
	add(&m, "m.scales", "F16", "[1,32]", halves, 64);
	expect_raw(&m, 2, "no qzeros");
	m = (struct maker){ .used = 0 };
	make_gptq(&m, values, 4, "[4,1]");
	expect_raw(&m, 3, "no width");
	m = (struct maker){ .used = 0 };
	add(&m, "m.qweight", "I32", "[4,32]", bytes, 512);
	add(&m, "m.qzeros", "I32", "[3,4]", bytes, 48);
	add(&m, "m.scales", "F16", "[3,32]", bytes, 192);
	expect_raw(&m, 3, "no whole number of 3 groups");
	m = (struct maker){ .used = 0 };
	add(&m, "m.qweight", "I32", "[4,32]", bytes, 512);
	add(&m, "m.qzeros", "I32", "[1,4]", bytes, 16);
	add(&m, "m.scales", "F16", "[2,32]", bytes, 128);
	expect_raw(&m, 3, "expected [2, 4]");
	m = (struct maker){ .used = 0 };
	make_nf4(&m, values, true, false);
	expect_raw(&m, 5, "no nested_absmax or nested_quant_map");
	m = (struct maker){ .used = 0 };
	add(&m, "m.W_q", "U8", "[4,32]", bytes, 128);
	expect_raw(&m, 1, "HQQ");
	m = (struct maker){ .used = 0 };
	add(&m, "m.weight_packed", "I32", "[2,2]", bytes, 16);
	add(&m, "m.weight_shape", "I64", "[2]", bytes, 16);
	add(&m, "m.weight_scale", "F32", "[2,1]", bytes, 8);
	expect_raw(&m, 3, "weight_shape says 0");
	m = (struct maker){ .used = 0 };
	make_gptq(&m, values, 4, NULL);
	add(&m, "m.weight", "F32", "[1]", bytes, 4);
	expect_raw(&m, 4, "as well");
}

static void
index_beyond(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	struct maker m = { .used = 0 };
	float values[1024];
	uint8_t index[128] = { 0 };
	make_gptq(&m, values, 4, NULL);
	phi_store32(index + 4 * 17, 99);
	add(&m, "m.g_idx", "I32", "[32]", index, sizeof index);
	struct phi_source *const source = open_made(&m, &err);
	assert_string_equal(err.text, "");
	assert_int_equal(source->model->ntensors, 1);
	assert_int_equal(phi_tensor_load(source, &source->model->tensors[0],
		phi_quant_converters.unpack, false, 0, 1024, values, &err), -1);
	assert_string_equal(err.text, "input 17 is of group 99, but there are 1");
	phi_source_close(source);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gptq),
		cmocka_unit_test(awq),
		cmocka_unit_test(bitsandbytes),
		cmocka_unit_test(compressed),
		cmocka_unit_test(blocks),
		cmocka_unit_test(experts),
		cmocka_unit_test(left_raw),
		cmocka_unit_test(index_beyond),
	};
	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
