/* Codes kept from one block type to another: every value the same both ways, the block named where that cannot be. */
#include "formats/core/bytes.h"
#include "quant/convert.h"
#include "quant/quant.h"
#include "quant/transcode.h"
#include "tests/unit/quant_inputs.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { N = 256 * 12 };

static float source[N], before[N], after[N];
static uint8_t blocks[4 * N], made[4 * N], back[4 * N];

static void
convert(const struct phi_converters *table, enum phi_type_id from, enum phi_type_id to, const void *src, void *dst)
{
	struct phi_convert c;
	struct phi_err err = { 0 };
	uint64_t bad = 0;
	if (table->find(phi_type_of(from), phi_type_of(to), &c, &err) < 0)
		fail_msg("%s", err.text);
	if (c.run(&c, src, dst, N, N, NULL, PHI_OVERFLOW_FAIL, &bad) < 0)
		fail_msg("%s to %s: element %llu", phi_type_of(from)->name, phi_type_of(to)->name, (unsigned long long)bad);
}

static void
same_values(enum phi_type_id from, enum phi_type_id to)
{
	convert(&phi_quant_lossless, from, to, blocks, made);
	convert(&phi_quant_converters, from, PHI_F32, blocks, before);
	convert(&phi_quant_converters, to, PHI_F32, made, after);
	for (int i = 0; i < N; i++)
		assert_true(before[i] == after[i]);
}

static void
nothing_is_lost(void **state)
{
	static const struct {
		enum phi_type_id from, to;
		bool back; /* to the same bytes */
	} ways[] = { { PHI_Q4_0, PHI_MLX4_G32_F16, true }, { PHI_Q4_1, PHI_MLX4_G32_F16, true },
		{ PHI_Q5_0, PHI_MLX5_G32_F16, true }, { PHI_Q5_1, PHI_MLX5_G32_F16, true },
		{ PHI_Q8_0, PHI_MLX8_G32_F16, true }, { PHI_MXFP4, PHI_MLX_MXFP4, true },
		{ PHI_MLX4_G32_F16, PHI_Q4_1, true }, { PHI_MLX4_G64_F16, PHI_Q4_1, false },
		{ PHI_MLX4_G128_BF16, PHI_Q4_1, false }, { PHI_MLX5_G64_BF16, PHI_Q5_1, false },
		{ PHI_Q4_0, PHI_MLX4_G32_F32, true }, { PHI_MLX4_G64_BF16, PHI_MLX4_G32_F32, false },
		{ PHI_Q4_0, PHI_Q4_1, true }, { PHI_Q4_0, PHI_ONNX4_G32_F16, true },
		{ PHI_Q4_0, PHI_ONNX4_G32_F32, true }, { PHI_Q8_0, PHI_ONNX8_G32_F16, true },
		{ PHI_Q8_0, PHI_ONNX8_G32_F32, true }, { PHI_Q4_0, PHI_ONNX4A_G32_F32, true },
		{ PHI_ONNX4_G32_F16, PHI_Q4_0, true }, { PHI_ONNX4_G128_F16, PHI_Q4_0, false },
		{ PHI_ONNX8_G64_F16, PHI_Q8_0, false }, { PHI_ONNX4_G64_F32, PHI_ONNX4_G32_F32, false },
		{ PHI_ONNX4_G64_F16, PHI_MLX4_G64_F16, true }, { PHI_Q4_0, PHI_ONNX4_G16_F16, false } };
	static const int inputs[] = { INPUT_GAUSSIAN, INPUT_WEIGHTS, INPUT_ZEROS, INPUT_TIES, INPUT_SPIKES,
		INPUT_OFFSET };
	(void)state;
	for (size_t w = 0; w < sizeof ways / sizeof *ways; w++)
		for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
			input_fill(inputs[i], source, N);
			convert(&phi_quant_converters, PHI_F32, ways[w].from, source, blocks);
			same_values(ways[w].from, ways[w].to);
			if (!ways[w].back)
				continue;
			convert(&phi_quant_lossless, ways[w].to, ways[w].from, made, back);
			assert_memory_equal(blocks, back, N / phi_type_of(ways[w].from)->elements *
				phi_type_of(ways[w].from)->bytes);
		}
}

/* What is at `at` of Q8_0 blocks cannot be MLX's; returns the element named, or -1. */
static int64_t
offender(const struct phi_converters *table, enum phi_type_id from, enum phi_type_id to)
{
	struct phi_convert c;
	uint64_t bad = 0;
	assert_int_equal(table->find(phi_type_of(from), phi_type_of(to), &c, NULL), 0);
	assert_non_null(c.fault);
	return c.run(&c, blocks, made, N, N, NULL, PHI_OVERFLOW_FAIL, &bad) < 0 ? (int64_t)bad : -1;
}

static void
the_block_is_named(void **state)
{
	(void)state;
	input_fill(INPUT_GAUSSIAN, source, N);
	convert(&phi_quant_converters, PHI_F32, PHI_Q8_0, source, blocks);
	phi_store16(blocks + 7 * 34, 0x6400); /* a scale of 1024: the bias would be -131072 */
	assert_int_equal(offender(&phi_quant_lossless, PHI_Q8_0, PHI_MLX8_G32_F16), 7 * 32);
	assert_int_equal(offender(&phi_quant_keeping_codes, PHI_Q8_0, PHI_MLX8_G32_F16), 7 * 32);
	assert_int_equal(offender(&phi_quant_lossless, PHI_Q8_0, PHI_MLX8_G32_BF16), 0); /* scales of 11 bits */
	/* MLX's own groups have any bias, which Q8_0 has not. */
	convert(&phi_quant_converters, PHI_F32, PHI_MLX8_G64_F16, source, blocks);
	assert_int_equal(offender(&phi_quant_keeping_codes, PHI_MLX8_G64_F16, PHI_Q8_0), 0);
	/* E8M0's last byte: MLX makes infinity of it. */
	convert(&phi_quant_converters, PHI_F32, PHI_MXFP4, source, blocks);
	blocks[3 * 17] = 255;
	assert_int_equal(offender(&phi_quant_lossless, PHI_MXFP4, PHI_MLX_MXFP4), 3 * 32);
	/* Plain numbers and new codes are compared, too. */
	memcpy(blocks, source, sizeof source);
	assert_true(offender(&phi_quant_lossless, PHI_F32, PHI_BF16) >= 0);
	assert_true(offender(&phi_quant_lossless, PHI_F32, PHI_Q8_0) >= 0);
	input_fill(INPUT_BF16, source, N);
	memcpy(blocks, source, sizeof source);
	assert_int_equal(offender(&phi_quant_lossless, PHI_F32, PHI_BF16), -1);
}

/* ONNX's zero points: Q4_0 has none but the middle, and none is between two codes. */
static void
zero_points_that_fit(void **state)
{
	(void)state;
	input_fill(INPUT_GAUSSIAN, source, N);
	convert(&phi_quant_converters, PHI_F32, PHI_ONNX4_G32_F16, source, blocks);
	convert(&phi_quant_lossless, PHI_ONNX4_G32_F16, PHI_ONNX4A_G32_F16, blocks, made);
	for (int b = 0; b < N / 32; b++)
		assert_int_equal(made[b * 19 + 18], 8);
	memcpy(blocks, made, sizeof made);
	assert_int_equal(offender(&phi_quant_lossless, PHI_ONNX4A_G32_F16, PHI_Q4_0), -1);
	blocks[5 * 19 + 18] = 7;
	assert_int_equal(offender(&phi_quant_lossless, PHI_ONNX4A_G32_F16, PHI_Q4_0), 5 * 32);
	assert_int_equal(offender(&phi_quant_keeping_codes, PHI_ONNX4A_G32_F16, PHI_ONNX4_G32_F16), 5 * 32);
	assert_int_equal(offender(&phi_quant_keeping_codes, PHI_ONNX4A_G32_F16, PHI_Q4_1), -1);
	convert(&phi_quant_converters, PHI_F32, PHI_Q4_1, source, blocks);
	assert_int_equal(offender(&phi_quant_keeping_codes, PHI_Q4_1, PHI_ONNX4A_G32_F16), 0);
}

/* Zero points that are numbers: a scale and a low go over, the values but for their last bits; back come the codes. */
static void
lows_become_zero_points(void **state)
{
	static const struct {
		enum phi_type_id from, to;
	} ways[] = { { PHI_Q4_1, PHI_ONNX4F_G32_F32 }, { PHI_MLX4_G64_BF16, PHI_ONNX4F_G64_F32 },
		{ PHI_MLX8_G128_F16, PHI_ONNX8F_G128_F32 }, { PHI_MLX4_G32_F32, PHI_ONNX4F_G32_F32 } };
	(void)state;
	for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
		const unsigned n = phi_type_of(ways[w].from)->elements, size = phi_type_of(ways[w].to)->bytes;
		input_fill(INPUT_GAUSSIAN, source, N);
		for (unsigned i = n; i < 2 * n; i++)
			source[i] = 0.3f; /* a scale of 0 */
		convert(&phi_quant_converters, PHI_F32, ways[w].from, source, blocks);
		convert(&phi_quant_keeping_codes, ways[w].from, ways[w].to, blocks, made);
		convert(&phi_quant_converters, ways[w].from, PHI_F32, blocks, before);
		convert(&phi_quant_converters, ways[w].to, PHI_F32, made, after);
		for (int i = 0; i < N; i++)
			assert_true(fabsf(before[i] - after[i]) <= 2e-6f);
		assert_true(before[n] == after[n]);
		assert_true(phi_load32(made + size - 8) != 0);
		convert(&phi_quant_keeping_codes, ways[w].to, ways[w].from, made, back);
		convert(&phi_quant_converters, ways[w].from, PHI_F32, back, after);
		for (int i = 0; i < N; i++)
			assert_true(fabsf(before[i] - after[i]) <= 8e-3f * fabsf(before[i]) + 1e-3f);
	}
}

static void
codes_are_kept_and_scales_rounded(void **state)
{
	struct phi_convert c;
	struct phi_err err = { 0 };
	(void)state;
	input_fill(INPUT_GAUSSIAN, source, N);
	convert(&phi_quant_converters, PHI_F32, PHI_MLX4_G64_F32, source, blocks);
	assert_int_equal(offender(&phi_quant_lossless, PHI_MLX4_G64_F32, PHI_Q4_1), 0);
	convert(&phi_quant_keeping_codes, PHI_MLX4_G64_F32, PHI_Q4_1, blocks, made);
	assert_true(phi_quant_rounded() > 0.4f && phi_quant_rounded() <= 0.5f);
	for (int b = 0; b < N / 64; b++)
		for (int i = 0; i < 64; i++) {
			const uint8_t *const q = made + (2 * b + i / 32) * 20 + 4;
			const int mlx = blocks[b * 40 + i / 2] >> i % 2 * 4 & 15;
			assert_int_equal(i % 32 < 16 ? q[i % 32] & 15 : q[i % 32 - 16] >> 4, mlx);
		}
	assert_int_equal(phi_quant_keeping_codes.find(phi_type_of(PHI_Q4_K), phi_type_of(PHI_MLX4_G32_F16), &c, &err), -1);
	assert_string_equal(err.text, "the codes of Q4_K cannot be kept in MLX4_G32_F16");
	assert_int_equal(phi_quant_keeping_codes.find(phi_type_of(PHI_F32), phi_type_of(PHI_BF16), &c, &err), 0);
}

static void
twins(void **state)
{
	(void)state;
	assert_ptr_equal(phi_twin(phi_type_of(PHI_Q4_0), "mlx"), phi_type_of(PHI_MLX4_G32_F16));
	assert_ptr_equal(phi_twin(phi_type_of(PHI_MLX4_G128_BF16), "gguf"), phi_type_of(PHI_Q4_1));
	assert_ptr_equal(phi_twin(phi_type_of(PHI_MLX_MXFP4), "gguf"), phi_type_of(PHI_MXFP4));
	assert_ptr_equal(phi_twin(phi_type_of(PHI_Q4_0), "gguf"), phi_type_of(PHI_Q4_0));
	assert_ptr_equal(phi_twin(phi_type_of(PHI_Q4_K), "mlx"), phi_type_of(PHI_Q4_K));
	assert_ptr_equal(phi_twin(phi_type_of(PHI_ONNX4_G128_F32), "gguf"), phi_type_of(PHI_Q4_0));
	assert_ptr_equal(phi_twin(phi_type_of(PHI_ONNX8_G32_F32), "gguf"), phi_type_of(PHI_Q8_0));
	assert_ptr_equal(phi_twin(phi_type_of(PHI_ONNX4_G256_F32), "mlx"), phi_type_of(PHI_MLX4_G128_F32));
	const struct phi_type *const wide = phi_type_of(PHI_F32), *const half = phi_type_of(PHI_F16);
	assert_ptr_equal(phi_twin_of_onnx(phi_type_of(PHI_Q4_0), wide), phi_type_of(PHI_ONNX4_G32_F32));
	assert_ptr_equal(phi_twin_of_onnx(phi_type_of(PHI_Q8_0), half), phi_type_of(PHI_ONNX8_G32_F16));
	assert_ptr_equal(phi_twin_of_onnx(phi_type_of(PHI_ONNX4A_G64_F16), wide), phi_type_of(PHI_ONNX4A_G64_F32));
	assert_ptr_equal(phi_twin_of_onnx(phi_type_of(PHI_Q6_K), wide), wide);
	assert_ptr_equal(phi_twin_of_onnx(phi_type_of(PHI_Q4_1), wide), phi_type_of(PHI_ONNX4F_G32_F32));
	assert_ptr_equal(phi_twin_of_onnx(phi_type_of(PHI_MLX4_G64_BF16), half), phi_type_of(PHI_ONNX4F_G64_F16));
	assert_ptr_equal(phi_twin(phi_type_of(PHI_ONNX4F_G64_F16), "mlx"), phi_type_of(PHI_MLX4_G64_F16));
	for (int a = 0; a < PHI_TYPES; a++)
		for (int v = 0; v < 2; v++) {
			const struct phi_type *const type = phi_type_of((enum phi_type_id)a);
			const struct phi_type *const twin = phi_twin(type, v ? "gguf" : "mlx");
			if (twin != type)
				assert_true(phi_transcodes(type, twin));
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(codes_are_kept_and_scales_rounded),
		cmocka_unit_test(nothing_is_lost), cmocka_unit_test(the_block_is_named), cmocka_unit_test(twins),
		cmocka_unit_test(zero_points_that_fit), cmocka_unit_test(lows_become_zero_points) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
