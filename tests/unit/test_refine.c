/* Blocks taken apart and put together again, and --search: never worse in any block, the same bytes at every level,
 * better by what the man page says. */
#include "quant/convert.h"
#include "quant/recipe.h"
#include "quant/refine.h"
#include "tests/unit/quant_inputs.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { N = 256 * 12, BYTES = N * 2, ROW = 256 };

static float source[N], decoded[N], importance[N];
static uint8_t made[BYTES], bytes[BYTES], expected[BYTES];

/* Of ONNX's, which differ in their sizes alone, two blocks will do. */
static const struct phi_shape *
shape_of(int id)
{
	const struct phi_type *const type = phi_type_of((enum phi_type_id)id);
	const bool onnx = strncmp(type->name, "ONNX", 4) == 0;
	return onnx && type->elements != 32 && type->elements != 128 ? NULL : phi_shape_of(type->id);
}

#define EACH_SHAPE(shape)                                                                                  \
	for (int id = 0; id < PHI_TYPES; id++)                                                             \
		for (const struct phi_shape *shape = shape_of(id); shape; shape = NULL)

/* Of those that are made of floats. */
#define EACH_MADE(shape) EACH_SHAPE(shape) if (phi_type_made(phi_type_of(shape->id)))

static void
convert(enum phi_type_id from, enum phi_type_id to, const void *src, void *dst)
{
	struct phi_convert c;
	struct phi_err err;
	uint64_t bad;
	assert_int_equal(phi_convert_find(phi_level_chosen(), phi_type_of(from), phi_type_of(to), &c, &err), 0);
	assert_int_equal(c.run(&c, src, dst, N, ROW, NULL, PHI_OVERFLOW_KEEP, &bad), 0);
}

static void
test_bytes_of_any_kind(void **state)
{
	(void)state;
	EACH_SHAPE(shape)
	{
		const struct phi_type *const type = phi_type_of(shape->id);
		const unsigned n = type->elements;
		for (uint32_t i = 0; i < BYTES; i++)
			bytes[i] = (uint8_t)input_bits(i, 3);
		convert(shape->id, PHI_F32, bytes, decoded);
		for (unsigned b = 0; b < N / n; b++) {
			struct phi_fields f = { 0 };
			float values[PHI_FIELD_CODES];
			phi_fields_unpack(shape, bytes + b * type->bytes, &f);
			phi_fields_values(shape, &f, values);
			for (unsigned i = 0; i < n; i++) {
				const float want = decoded[b * n + i];
				if (values[i] != want && !(isnan(values[i]) && isnan(want)))
					fail_msg("%s: block %u, weight %u: %a, not %a", type->name, b, i,
						(double)values[i], (double)want);
			}
		}
	}
}

static void
test_put_together_again(void **state)
{
	(void)state;
	input_fill(INPUT_GAUSSIAN, source, N);
	EACH_MADE(shape)
	{
		const struct phi_type *const type = phi_type_of(shape->id);
		convert(PHI_F32, shape->id, source, made);
		for (unsigned b = 0; b < N / type->elements; b++) {
			struct phi_fields f = { 0 };
			uint8_t block[512];
			memset(block, 0xA5, sizeof block);
			phi_fields_unpack(shape, made + b * type->bytes, &f);
			phi_fields_pack(shape, &f, block);
			if (memcmp(block, made + b * type->bytes, type->bytes) != 0)
				fail_msg("%s: block %u differs", type->name, b);
			assert_int_equal(block[type->bytes], 0xA5);
		}
	}
}

static double
error_of(const float *x, const float *y, const float *w, unsigned n)
{
	double sum = 0;
	for (unsigned i = 0; i < n; i++)
		sum += (w ? w[i] : 1) * ((double)y[i] - x[i]) * ((double)y[i] - x[i]);
	return sum;
}

/* Searches what `made` has; returns the whole error over the one before. No block is worse. */
static double
search(const struct phi_shape *shape, const float *w, const char *what)
{
	static float before[N], after[N];
	const struct phi_type *const type = phi_type_of(shape->id);
	const unsigned n = type->elements;
	double old = 0, new = 0;
	convert(PHI_F32, shape->id, source, made);
	memcpy(bytes, made, BYTES);
	phi_level_chosen()->refine(shape, source, w, bytes, N / n);
	convert(shape->id, PHI_F32, made, before);
	convert(shape->id, PHI_F32, bytes, after);
	for (unsigned b = 0; b < N / n; b++) {
		const double a = error_of(source + b * n, before + b * n, w ? w + b * n : NULL, n);
		const double z = error_of(source + b * n, after + b * n, w ? w + b * n : NULL, n);
		if (z > a)
			fail_msg("%s, %s: block %u: error %g, was %g", type->name, what, b, z, a);
		old += a;
		new += z;
	}
	return new / old;
}

static void
test_never_worse(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < N; i++)
		importance[i] = fabsf(input_gaussian(i ^ 77)) * (float)(i % 5);
	EACH_MADE(shape)
		for (int input = 0; input < INPUTS_FINITE; input++) {
			char what[32];
			snprintf(what, sizeof what, "input %d", input);
			input_fill(input, source, N);
			for (unsigned i = 0; i < N; i++)
				source[i] = isfinite(source[i]) ? source[i] : 0;
			search(shape, NULL, what);
			search(shape, importance, what);
		}
}

static void
test_same_at_every_level(void **state)
{
	(void)state;
	unsigned nlevels;
	const struct phi_level *const levels = phi_levels(&nlevels);
	EACH_MADE(shape)
		for (int input = 0; input < INPUTS_FINITE; input++) {
			input_fill(input, source, N);
			for (unsigned i = 0; i < N; i++)
				source[i] = isfinite(source[i]) ? source[i] : 0;
			convert(PHI_F32, shape->id, source, made);
			for (unsigned l = 0; l < nlevels; l++) {
				if (!phi_level_runs(&levels[l]))
					continue;
				memcpy(bytes, made, BYTES);
				levels[l].refine(shape, source, NULL, bytes, N / phi_type_of(shape->id)->elements);
				if (l == 0)
					memcpy(expected, bytes, BYTES);
				else if (memcmp(bytes, expected, BYTES) != 0)
					fail_msg("%s, input %d: %s differs from %s", phi_type_of(shape->id)->name, input,
						levels[l].name, levels[0].name);
			}
		}
}

/* The error of gaussian weights sinks at least this far, in squares: (1 - 0.04)^2 is 4 % of rmse. */
static void
test_gain(void **state)
{
	static const struct {
		enum phi_type_id id;
		double most;
	} bars[] = { { PHI_Q4_0, 0.92 }, { PHI_Q4_1, 0.82 }, { PHI_Q5_0, 0.91 }, { PHI_Q5_1, 0.82 }, { PHI_Q8_0, 0.82 },
		{ PHI_IQ4_NL, 0.97 }, { PHI_NVFP4, 0.80 }, { PHI_Q2_K, 0.80 }, { PHI_Q3_K, 0.94 }, { PHI_Q4_K, 0.97 },
		{ PHI_Q5_K, 0.92 }, { PHI_Q6_K, 0.92 }, { PHI_IQ4_XS, 0.97 }, { PHI_TQ2_0, 0.40 }, { PHI_Q2_0, 0.40 },
		{ PHI_MLX4_G64_BF16, 0.828 }, { PHI_MLX4_G64_F16, 0.828 }, { PHI_MLX4_G64_F32, 0.828 } /* 9 % of rmse */,
		{ PHI_MLX2_G64_BF16, 0.70 }, { PHI_MLX3_G64_BF16, 0.77 }, { PHI_MLX5_G64_BF16, 0.84 },
		{ PHI_MLX6_G64_BF16, 0.85 }, { PHI_MLX8_G64_BF16, 0.65 }, { PHI_MLX8_G64_F16, 0.95 },
		{ PHI_MLX_MXFP4, 0.95 }, { PHI_MLX_NVFP4, 0.90 } };
	(void)state;
	input_fill(INPUT_GAUSSIAN, source, N);
	for (size_t i = 0; i < sizeof bars / sizeof *bars; i++) {
		const double ratio = search(phi_shape_of(bars[i].id), NULL, "gaussian");
		if (!(ratio < bars[i].most))
			fail_msg("%s: squares at %.3f of what it was, not below %.3f", phi_type_of(bars[i].id)->name,
				ratio, bars[i].most);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_of_any_kind),
		cmocka_unit_test(test_put_together_again),
		cmocka_unit_test(test_never_worse),
		cmocka_unit_test(test_same_at_every_level),
		cmocka_unit_test(test_gain),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
