/* The converter table: which pairs there are, what the policies do. */
#include "quant/convert.h"
#include "quant/quant.h"
#include "formats/core/bytes.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct phi_convert
found(enum phi_type_id from, enum phi_type_id to)
{
	struct phi_convert c;
	struct phi_err err = { 0 };
	if (phi_quant_converters.find(phi_type_of(from), phi_type_of(to), &c, &err) < 0)
		fail_msg("%s", err.text);
	return c;
}

/* Converts; returns the offending element or -1. */
static int64_t
run(enum phi_type_id from, enum phi_type_id to, const void *src, void *dst, uint64_t n,
	enum phi_overflow policy)
{
	const struct phi_convert c = found(from, to);
	uint64_t bad = 0;
	return c.run(&c, src, dst, n, n, NULL, policy, &bad) < 0 ? (int64_t)bad : -1;
}

static void
the_table_says_what_it_cannot_do(void **state)
{
	(void)state;
	struct phi_convert c;
	struct phi_err err = { 0 };
	assert_int_equal(phi_quant_converters.find(phi_type_of(PHI_F32), phi_type_of(PHI_I8), &c, &err), -1);
	assert_int_equal(err.kind, PHI_UNSUPPORTED);
	assert_string_equal(err.text, "I8 cannot be made (of F32)");
	assert_int_equal(phi_quant_converters.find(phi_type_of(PHI_C64), phi_type_of(PHI_F32), &c, &err), -1);
	assert_string_equal(err.text, "C64 cannot be decoded (asked for F32)");
}

static void
every_type_copies_itself(void **state)
{
	(void)state;
	uint8_t src[512], dst[512];
	for (int i = 0; i < 512; i++)
		src[i] = (uint8_t)(i * 7);
	for (int id = 0; id < PHI_TYPES; id++) {
		const struct phi_type *const t = phi_type_of((enum phi_type_id)id);
		memset(dst, 0, sizeof dst);
		assert_int_equal(run(t->id, t->id, src, dst, t->elements, PHI_OVERFLOW_FAIL), -1);
		assert_memory_equal(src, dst, t->bytes);
	}
}

static void
plain_numbers_decode_to_their_values(void **state)
{
	(void)state;
	float x[3];
	run(PHI_I8, PHI_F32, (const int8_t[]){ -128, 0, 127 }, x, 3, PHI_OVERFLOW_FAIL);
	assert_true(x[0] == -128 && x[1] == 0 && x[2] == 127);
	run(PHI_U64, PHI_F32, (const uint64_t[]){ UINT64_MAX, 1, 16777217 }, x, 3, PHI_OVERFLOW_FAIL);
	assert_true(x[0] == 0x1p64f && x[1] == 1 && x[2] == 16777216);
	run(PHI_I16, PHI_F32, (const int16_t[]){ -32768, 5, 32767 }, x, 3, PHI_OVERFLOW_FAIL);
	assert_true(x[0] == -32768 && x[1] == 5 && x[2] == 32767);
	run(PHI_BOOL, PHI_F32, (const uint8_t[]){ 0, 1, 255 }, x, 3, PHI_OVERFLOW_FAIL);
	assert_true(x[0] == 0 && x[1] == 1 && x[2] == 1);
	run(PHI_F8_E4M3, PHI_F32, (const uint8_t[]){ 0x7E, 0x01, 0xB8 }, x, 3, PHI_OVERFLOW_FAIL);
	assert_true(x[0] == 448 && x[1] == 0x1p-9f && x[2] == -1);
	run(PHI_F8_E5M2, PHI_F32, (const uint8_t[]){ 0x7B, 0xFC, 0x01 }, x, 3, PHI_OVERFLOW_FAIL);
	assert_true(x[0] == 57344 && x[1] == -INFINITY && x[2] == 0x1p-16f);
	run(PHI_F8_E4M3FNUZ, PHI_F32, (const uint8_t[]){ 0x7F, 0x80, 0x01 }, x, 3, PHI_OVERFLOW_FAIL);
	assert_true(x[0] == 240 && isnan(x[1]) && x[2] == 0x1p-10f);
	run(PHI_F8_E8M0, PHI_F32, (const uint8_t[]){ 0, 127, 254 }, x, 3, PHI_OVERFLOW_FAIL);
	assert_true(x[0] == 0x1p-127f && x[1] == 1 && x[2] == 0x1p127f);
	run(PHI_F64, PHI_F32, (const double[]){ 0.1, -1e-50, 3e38 }, x, 3, PHI_OVERFLOW_FAIL);
	assert_true(x[0] == 0.1f && x[1] == 0 && x[2] == 3e38f);
}

enum { N = 10240 };
static float x[N], y[N];

/* A lone offender at `at`, in every direction of narrowing. */
static void
offender(float value, enum phi_type_id to, uint64_t at, int64_t expected)
{
	uint8_t dst[4 * N];
	for (int i = 0; i < N; i++)
		x[i] = (float)(i % 100) / 100;
	x[at] = value;
	assert_int_equal(run(PHI_F32, to, x, dst, N, PHI_OVERFLOW_FAIL), expected);
}

static void
fail_names_the_first_offender(void **state)
{
	(void)state;
	static const uint64_t places[] = { 0, 31, 4095, 4096, 9999, N - 1 };
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		const uint64_t at = places[i];
		const enum phi_type_id all[] = { PHI_F16, PHI_BF16, PHI_Q4_0, PHI_Q8_0 };
		for (size_t t = 0; t < sizeof all / sizeof *all; t++) {
			const bool block = phi_type_of(all[t])->class == PHI_CLASS_BLOCK;
			offender(NAN, all[t], at, (int64_t)at);
			offender(-INFINITY, all[t], at, block ? (int64_t)at : -1);
			offender(FLT_MAX, all[t], at, (int64_t)at);
			offender(1, all[t], at, -1);
		}
		offender(65519.996f, PHI_F16, at, -1);
		offender(65520, PHI_F16, at, (int64_t)at);
		offender(0x1.fefffep+127f, PHI_BF16, at, -1);
		offender(0x1.ffp+127f, PHI_BF16, at, (int64_t)at);
		offender(8321039.5f, PHI_Q8_0, at, -1);
		offender(nextafterf(8321039.5f, INFINITY), PHI_Q8_0, at, (int64_t)at);
		offender(-524159.97f, PHI_Q4_0, at, -1);
		offender(-524160, PHI_Q4_0, at, (int64_t)at);
	}
	const double wide[] = { 1, 1e39, NAN };
	assert_int_equal(run(PHI_F64, PHI_F32, wide, y, 3, PHI_OVERFLOW_FAIL), 1);
	assert_int_equal(run(PHI_F64, PHI_F16, wide, y, 3, PHI_OVERFLOW_FAIL), 1);
	assert_int_equal(run(PHI_F64, PHI_F32, (const double[]){ INFINITY, 1 }, y, 2, PHI_OVERFLOW_FAIL), -1);
	/* Widening keeps what there is. */
	assert_int_equal(run(PHI_F16, PHI_F32, (const uint16_t[]){ 0x7C00, 0x7E00 }, y, 2,
		PHI_OVERFLOW_FAIL), -1);
	assert_true(isinf(y[0]) && isnan(y[1]));
}

static void
clamp_takes_the_largest_number(void **state)
{
	(void)state;
	uint16_t h[5];
	const float odd[] = { 1e9f, -1e9f, NAN, INFINITY, 2 };
	assert_int_equal(run(PHI_F32, PHI_F16, odd, h, 5, PHI_OVERFLOW_CLAMP), -1);
	const uint16_t halves[] = { 0x7BFF, 0xFBFF, 0, 0x7C00, 0x4000 };
	assert_memory_equal(h, halves, sizeof h);
	assert_int_equal(run(PHI_F32, PHI_F16, odd, h, 5, PHI_OVERFLOW_KEEP), -1);
	const uint16_t kept[] = { 0x7C00, 0xFC00, 0x7E00, 0x7C00, 0x4000 };
	assert_memory_equal(h, kept, sizeof h);

	float block[32] = { NAN, -INFINITY, 1e30f, 3 };
	uint8_t q[34];
	assert_int_equal(run(PHI_F32, PHI_Q8_0, block, q, 32, PHI_OVERFLOW_CLAMP), -1);
	assert_int_equal(phi_load16(q), 0x7BFF);
	assert_int_equal((int8_t)q[2], 0);
	assert_int_equal((int8_t)q[3], -127);
	assert_int_equal((int8_t)q[4], 127);
	assert_int_equal((int8_t)q[5], 0);

	const double wide[] = { 1e300, -1e300, NAN };
	assert_int_equal(run(PHI_F64, PHI_F32, wide, y, 3, PHI_OVERFLOW_CLAMP), -1);
	assert_true(y[0] == FLT_MAX && y[1] == -FLT_MAX && y[2] == 0);
}

static void
all_halves_come_back(void **state)
{
	(void)state;
	static uint16_t in[1 << 16], out[1 << 16];
	static float middle[1 << 16];
	for (uint32_t i = 0; i < 1 << 16; i++)
		in[i] = (uint16_t)i;
	for (int t = 0; t < 2; t++) {
		const enum phi_type_id type = t ? PHI_BF16 : PHI_F16;
		run(type, PHI_F32, in, middle, 1 << 16, PHI_OVERFLOW_KEEP);
		run(PHI_F32, type, middle, out, 1 << 16, PHI_OVERFLOW_KEEP);
		for (uint32_t i = 0; i < 1 << 16; i++)
			if (!isnan(middle[i]))
				assert_int_equal(out[i], in[i]);
			else if (t == 0)
				assert_int_equal(out[i], (i & 0x8000) | 0x7E00);
			else
				assert_int_equal(out[i], i | 64);
	}
}

/* Neither end need be aligned. */
static void
odd_addresses_are_welcome(void **state)
{
	(void)state;
	static uint8_t src[4 * 999 + 3], dst[4 * 999 + 3];
	static float even[999];
	for (int i = 0; i < 999; i++)
		even[i] = (float)i / 7;
	for (int shift = 1; shift < 4; shift++) {
		memcpy(src + shift, even, sizeof even);
		assert_int_equal(run(PHI_F32, PHI_BF16, src + shift, dst + shift, 999, PHI_OVERFLOW_FAIL), -1);
		assert_int_equal(run(PHI_BF16, PHI_F32, dst + shift, src + shift, 999, PHI_OVERFLOW_FAIL), -1);
		for (int i = 0; i < 999; i++) {
			float got;
			memcpy(&got, src + shift + 4 * i, 4);
			assert_true(fabsf(got - even[i]) <= even[i] / 256);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_says_what_it_cannot_do),
		cmocka_unit_test(every_type_copies_itself),
		cmocka_unit_test(plain_numbers_decode_to_their_values),
		cmocka_unit_test(fail_names_the_first_offender),
		cmocka_unit_test(clamp_takes_the_largest_number),
		cmocka_unit_test(all_halves_come_back),
		cmocka_unit_test(odd_addresses_are_welcome),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
