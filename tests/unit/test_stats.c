/* Statistics against exact values, for every way the values can be cut. */
#include "inspect/stats.h"

#include "formats/core/bytes.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct phi_type *
f32(void)
{
	return phi_type_of(PHI_F32);
}

static struct phi_stats
of(const float *values, uint64_t n)
{
	struct phi_stats s = {0};
	phi_stats_add(&s, f32(), values, values, n);
	return s;
}

static void
test_exact(void **state)
{
	(void)state;
	const float x[] = {1, -1, 0, 2, -2, 4, 0.5f, -0.0f, NAN, INFINITY, -INFINITY, 3.5f};
	const struct phi_stats s = of(x, 12);
	int exponent;
	assert_int_equal(s.n, 12);
	assert_int_equal(s.nan, 1);
	assert_int_equal(s.inf, 2);
	assert_int_equal(s.zeros, 2);
	assert_int_equal(s.negative, 2);
	assert_int_equal(phi_stats_finite(&s), 9);
	assert_true(s.min == -2 && s.max == 4);
	/* The sum is 8, the squares' 1 + 1 + 4 + 4 + 16 + 0.25 + 12.25 = 38.5. */
	assert_true(fabs(s.mean - 8.0 / 9) < 1e-15);
	assert_true(fabs(phi_stats_std(&s) - sqrt(38.5 / 9 - 64.0 / 81)) < 1e-15);
	assert_int_equal(phi_stats_span(&s, &exponent), 4);
	assert_int_equal(exponent, -1);
	const uint64_t *const bars = s.bars + (exponent - PHI_STATS_LOWEST);
	assert_true(bars[0] == 1 && bars[1] == 2 && bars[2] == 3 && bars[3] == 1);
}

/* Powers of two: 0.5, 1, 1.999 and 2 stand in three bars; denormal and largest have theirs. */
static void
test_bars(void **state)
{
	(void)state;
	const float x[] = {0.5f, 1, nextafterf(2, 0), 2, -1};
	const struct phi_stats s = of(x, 5);
	assert_int_equal(s.bars[-1 - PHI_STATS_LOWEST], 1);
	assert_int_equal(s.bars[0 - PHI_STATS_LOWEST], 3);
	assert_int_equal(s.bars[1 - PHI_STATS_LOWEST], 1);
	const float ends[] = {0x1p-149f, 0x1.fffffep127f};
	const struct phi_stats e = of(ends, 2);
	assert_int_equal(e.bars[-149 - PHI_STATS_LOWEST], 1);
	assert_int_equal(e.bars[127 - PHI_STATS_LOWEST], 1);
	/* What F64 has beyond is in the first and the last. */
	uint8_t raw[16];
	phi_store64(raw, phi_bits64(1e-300));
	phi_store64(raw + 8, phi_bits64(1e300));
	struct phi_stats wide = {0};
	phi_stats_add(&wide, phi_type_of(PHI_F64), NULL, raw, 2);
	assert_int_equal(wide.bars[0], 1);
	assert_int_equal(wide.bars[PHI_STATS_BARS - 1], 1);
}

/* Integers that F32 cannot hold are taken as they are. */
static void
test_wide(void **state)
{
	(void)state;
	uint8_t raw[16];
	struct phi_stats s = {0};
	phi_store64(raw, (uint64_t)-((INT64_C(1) << 53) - 1));
	phi_store64(raw + 8, 16777217);
	phi_stats_add(&s, phi_type_of(PHI_I64), NULL, raw, 2);
	assert_true(s.min == -9007199254740991.0 && s.max == 16777217.0);
	assert_int_equal(s.negative, 1);
	s = (struct phi_stats){0};
	phi_store32(raw, UINT32_MAX);
	phi_store32(raw + 4, 1);
	phi_stats_add(&s, phi_type_of(PHI_U32), NULL, raw, 2);
	assert_true(s.min == 1 && s.max == 4294967295.0);
	s = (struct phi_stats){0};
	phi_stats_add(&s, phi_type_of(PHI_C64), NULL, raw, 2);
	assert_int_equal(s.n, 0);
}

/* Cut anywhere, the merged figures are those of the whole; NaN alone on a side does no harm. */
static void
test_merge(void **state)
{
	(void)state;
	enum { N = 5000 };
	static float x[N];
	srand(7);
	for (size_t i = 0; i < N; i++)
		x[i] = 1000 + (float)rand() / (float)RAND_MAX;
	x[0] = NAN;
	x[1] = INFINITY;
	const struct phi_stats whole = of(x, N);
	for (size_t cut = 0; cut <= N; cut += 1 + cut / 3) {
		struct phi_stats a = of(x, cut);
		const struct phi_stats b = of(x + cut, N - cut);
		phi_stats_merge(&a, &b);
		assert_int_equal(a.n, N);
		assert_true(a.min == whole.min && a.max == whole.max);
		assert_int_equal(a.nan, 1);
		assert_int_equal(a.inf, 1);
		assert_true(fabs(a.mean - whole.mean) < 1e-12);
		/* A sum of squares minus a squared sum would have lost half its digits here. */
		assert_true(fabs(phi_stats_std(&a) - phi_stats_std(&whole)) < 1e-12);
		assert_memory_equal(a.bars, whole.bars, sizeof a.bars);
	}
}

static void
test_constant(void **state)
{
	(void)state;
	static float x[3000];
	for (size_t i = 0; i < 3000; i++)
		x[i] = 0.1f;
	const struct phi_stats s = of(x, 3000);
	assert_true(s.min == s.max && fabs(s.mean - (double)0.1f) < 1e-15);
	assert_true(phi_stats_std(&s) < 1e-15);
	const float none[] = {NAN, NAN};
	const struct phi_stats n = of(none, 2);
	assert_int_equal(phi_stats_finite(&n), 0);
	assert_true(phi_stats_std(&n) == 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_exact), cmocka_unit_test(test_bars),
		cmocka_unit_test(test_wide), cmocka_unit_test(test_merge),
		cmocka_unit_test(test_constant)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
