/* Distances: weights of columns, expert by expert; parts add up to the whole. */
#include "inspect/compare.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Two experts of two rows of three columns. */
enum { N = 12 };
static const float a[N] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
static const float b[N] = { 2, 2, 3, 4, 3, 6, 7, 8, 10, 10, 14, 12 };
static const float importance[N] = { 1, 0.5f, 0, 1, 0.5f, 0, 4, 2, 3, 4, 2, 3 };

/* 1 * 1 + 0.5 * 4 in the first, 3 * 1 + 2 * 9 in the second. */
static void
test_weights(void **state)
{
	struct phi_distance d = { .n = N };
	(void)state;
	phi_distance_weigh(&d, a, b, N, importance);
	assert_true(d.weights == 2 * (1 + 0.5) + 2 * (4 + 2 + 3));
	assert_true(d.weighted_diff == 3 + 21);
	assert_true(d.weighted_a == 1 + 2 + 16 + 12.5 + 4 * 49 + 2 * 64 + 3 * 81 + 4 * 100 + 2 * 121 + 3 * 144);
	assert_true(phi_distance_weighted_rmse(&d) == sqrt(24 / 21.0));
	assert_true(phi_distance_weighted_sqnr(&d) == 10 * log10(d.weighted_a / 24));
}

static void
test_parts(void **state)
{
	(void)state;
	for (unsigned cut = 0; cut <= N; cut++) {
		struct phi_distance whole = { .n = N }, first = { .n = cut }, rest = { .n = N - cut };
		phi_distance_weigh(&whole, a, b, N, importance);
		phi_distance_weigh(&first, a, b, cut, importance);
		phi_distance_weigh(&rest, a + cut, b + cut, N - cut, importance + cut);
		phi_distance_merge(&first, &rest);
		assert_true(first.weighted_diff == whole.weighted_diff);
		assert_true(first.weights == whole.weights);
		assert_true(first.weighted_a == whole.weighted_a);
	}
}

static void
test_nothing_lost(void **state)
{
	struct phi_distance d = { .n = N };
	(void)state;
	phi_distance_weigh(&d, a, a, N, importance);
	assert_true(phi_distance_weighted_rmse(&d) == 0);
	assert_true(isinf(phi_distance_weighted_sqnr(&d)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_weights),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_nothing_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
