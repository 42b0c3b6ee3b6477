/* Our bytes against ggml's and the other references', as recorded in quant_vectors.def, at every level of this machine. */
#include "quant/convert.h"
#include "tests/unit/quant_inputs.h"

#include <nettle/sha2.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { N = 8192, ROW = 2048 };
enum direction { encode, decode, weigh, rtn, k_quant };

static const struct vector {
	enum phi_type_id type;
	enum direction direction;
	int input;
	const char *digest;
} vectors[] = {
#define VECTOR(type, direction, input, digest) { PHI_##type, direction, INPUT_##input, digest },
#include "tests/unit/quant_vectors.def"
#undef VECTOR
};
enum { NVECTORS = sizeof vectors / sizeof *vectors };

static float x[N], importance[ROW];
static uint8_t blocks[N * 8];

static void
digest_of(const void *data, size_t size, char text[33])
{
	struct sha256_ctx ctx;
	uint8_t digest[SHA256_DIGEST_SIZE];
	sha256_init(&ctx);
	sha256_update(&ctx, size, data);
	sha256_digest(&ctx, sizeof digest, digest);
	for (int i = 0; i < 16; i++)
		sprintf(text + 2 * i, "%02x", digest[i]);
}

static void
run(const struct phi_level *level, const struct phi_type *from, const struct phi_type *to, enum direction direction,
	const void *src, void *dst)
{
	struct phi_convert convert;
	uint64_t bad;
	const float *const weights = direction == weigh ? importance : NULL;
	assert_int_equal(phi_convert_find(level, from, to, &convert, NULL), 0);
	phi_convert_as_llama(&convert);
	const struct phi_codec *const codec = convert.encoder;
	if (direction == rtn || direction == k_quant)
		convert.encoder = direction == rtn ? codec->as_rtn : codec->as_k_quant;
	assert_int_equal(convert.run(&convert, src, dst, N, ROW, weights, PHI_OVERFLOW_KEEP, &bad), 0);
}

static void
check(const struct phi_level *level, const struct vector *v)
{
	const struct phi_type *const type = phi_type_of(v->type), *const f32 = phi_type_of(PHI_F32);
	const size_t size = N / type->elements * type->bytes;
	char text[33];
	if (v->input == INPUT_CODES) {
		for (size_t i = 0; i < size; i++)
			blocks[i] = input_code((uint32_t)i);
	} else {
		input_fill(v->input, x, N);
		run(level, f32, type, v->direction, x, blocks);
	}
	if (v->direction == decode) {
		run(level, type, f32, decode, blocks, x);
		for (int i = 0; i < N; i++)
			if (isnan(x[i]))
				x[i] = phi_float32(0x7FC00000);
		digest_of(x, sizeof x, text);
	} else
		digest_of(blocks, size, text);
	if (strcmp(text, v->digest))
		fail_msg("%s: %s, %s, input %d: %s instead of %s", level->name, type->name,
			(const char *[]){ "encode", "decode", "weigh", "rtn", "k_quant" }[v->direction], v->input, text, v->digest);
}

static void
all_levels_give_the_references_bytes(void **state)
{
	(void)state;
	unsigned n;
	const struct phi_level *const levels = phi_levels(&n);
	for (uint32_t i = 0; i < ROW; i++)
		importance[i] = input_importance(i);
	for (unsigned l = 0; l < n; l++)
		for (int i = 0; i < NVECTORS && phi_level_runs(&levels[l]); i++)
			check(&levels[l], &vectors[i]);
}

/* The share of the squares that IQ3_S loses of every other 32 weights, the rest being zeros. */
static float
lost(bool as_llama)
{
	const struct phi_type *const f32 = phi_type_of(PHI_F32), *const type = phi_type_of(PHI_IQ3_S);
	static float back[N];
	struct phi_convert to, from;
	uint64_t bad;
	float squares = 0, errors = 0;
	input_fill(INPUT_ZERO_BLOCKS, x, N);
	assert_int_equal(phi_convert_find(phi_level_chosen(), f32, type, &to, NULL), 0);
	assert_int_equal(phi_convert_find(phi_level_chosen(), type, f32, &from, NULL), 0);
	if (as_llama)
		phi_convert_as_llama(&to);
	assert_int_equal(to.run(&to, x, blocks, N, ROW, NULL, PHI_OVERFLOW_FAIL, &bad), 0);
	assert_int_equal(from.run(&from, blocks, back, N, ROW, NULL, PHI_OVERFLOW_FAIL, &bad), 0);
	for (int i = 0; i < N; i++) {
		squares += x[i] * x[i];
		errors += x[i] == 0 ? 0 : (back[i] - x[i]) * (back[i] - x[i]);
	}
	return errors / squares;
}

static void
zeros_in_iq3_s_spoil_nothing_but_as_llama(void **state)
{
	(void)state;
	assert_true(lost(false) < 0.03f);
	assert_true(lost(true) > 0.5f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(all_levels_give_the_references_bytes),
		cmocka_unit_test(zeros_in_iq3_s_spoil_nothing_but_as_llama) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
