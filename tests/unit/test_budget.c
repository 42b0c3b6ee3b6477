/* Types under a budget: what was chosen is under it, nothing more fits, and it is the best there is where that can be
 * tried out. */
#include "quant/budget.h"
#include "tests/unit/quant_inputs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { TENSORS = 6, OPTIONS = 4 };

static struct phi_option options[TENSORS * OPTIONS];
static size_t choice[TENSORS];

static void
make_options(uint32_t seed)
{
	for (uint32_t i = 0; i < TENSORS; i++)
		for (uint32_t k = 0; k < OPTIONS; k++)
			options[i * OPTIONS + k] = (struct phi_option){
				.bytes = 32 * (k + 1) * (1 + input_bits(i, seed) % 9) + input_bits(i * 4 + k, seed) % 7,
				.error = (double)(input_bits(i, seed + 1) % 1000) / (double)((k + 1) * (k + 1)) };
}

struct sums {
	uint64_t bytes;
	double error;
};

static struct sums
sums_of(const size_t *chosen)
{
	struct sums s = { 0 };
	for (size_t i = 0; i < TENSORS; i++) {
		s.bytes += options[i * OPTIONS + chosen[i]].bytes;
		s.error += options[i * OPTIONS + chosen[i]].error;
	}
	return s;
}

/* Every way there is: 4^6. */
static double
least_error(uint64_t budget)
{
	double least = 1e300;
	for (unsigned way = 0; way < 1u << 2 * TENSORS; way++) {
		size_t chosen[TENSORS];
		for (unsigned i = 0; i < TENSORS; i++)
			chosen[i] = way >> 2 * i & 3;
		const struct sums s = sums_of(chosen);
		if (s.bytes <= budget && s.error < least)
			least = s.error;
	}
	return least;
}

static void
assert_nothing_more_fits(uint64_t budget)
{
	const struct sums now = sums_of(choice);
	assert_true(now.bytes <= budget);
	for (size_t i = 0; i < TENSORS; i++) {
		const struct phi_option *const from = &options[i * OPTIONS + choice[i]];
		for (size_t k = 0; k < OPTIONS; k++) {
			const struct phi_option *const to = &options[i * OPTIONS + k];
			if (to->bytes > from->bytes && to->error < from->error)
				assert_true(now.bytes - from->bytes + to->bytes > budget);
		}
	}
}

static void
test_against_every_way(void **state)
{
	struct phi_err err;
	double found = 0, best = 0;
	unsigned solved = 0;
	(void)state;
	for (uint32_t seed = 0; seed < 60; seed++) {
		make_options(seed * 3);
		const uint64_t budget = 600 + input_bits(seed, 8) % 3000;
		if (phi_budget_choose(options, TENSORS, OPTIONS, budget, choice, NULL, NULL, &err) < 0) {
			assert_true(least_error(budget) == 1e300);
			continue;
		}
		assert_nothing_more_fits(budget);
		found += sums_of(choice).error;
		best += least_error(budget);
		solved++;
	}
	assert_true(solved > 30);
	/* Steps of six tensors are coarse; with more of them the difference vanishes. */
	assert_true(found < best * 1.15);
}

static void
test_all_and_nothing(void **state)
{
	struct phi_err err;
	(void)state;
	make_options(5);
	assert_int_equal(phi_budget_choose(options, TENSORS, OPTIONS, UINT64_MAX, choice, NULL, NULL, &err), 0);
	for (size_t i = 0; i < TENSORS; i++)
		assert_int_equal(choice[i], OPTIONS - 1);
	size_t smallest[TENSORS] = { 0 };
	const uint64_t least = sums_of(smallest).bytes;
	assert_int_equal(phi_budget_choose(options, TENSORS, OPTIONS, least, choice, NULL, NULL, &err), 0);
	assert_int_equal(phi_budget_choose(options, TENSORS, OPTIONS, least - 1, choice, NULL, NULL, &err), -1);
	for (size_t k = 0; k < OPTIONS; k++)
		options[2 * OPTIONS + k].bytes = UINT64_MAX;
	assert_int_equal(phi_budget_choose(options, TENSORS, OPTIONS, UINT64_MAX, choice, NULL, NULL, &err), -1);
}

struct curve {
	struct phi_budget_point last;
	unsigned points;
};

static void
see(void *ctx, const struct phi_budget_point *point)
{
	struct curve *const curve = ctx;
	if (curve->points++) {
		assert_true(point->bytes > curve->last.bytes);
		assert_true(point->error < curve->last.error);
	}
	curve->last = *point;
}

static void
test_the_curve_falls(void **state)
{
	struct phi_err err;
	struct curve curve = { .points = 0 };
	(void)state;
	make_options(9);
	assert_int_equal(phi_budget_choose(options, TENSORS, OPTIONS, 3000, choice, see, &curve, &err), 0);
	assert_true(curve.points > 3);
	assert_int_equal(curve.last.bytes, sums_of(choice).bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_every_way),
		cmocka_unit_test(test_all_and_nothing),
		cmocka_unit_test(test_the_curve_falls),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
