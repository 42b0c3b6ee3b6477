/* Scales of whole tensors and of channels, and the codes: onnxruntime's (scaling_vectors.py), and the pieces they are
 * made in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "formats/core/bytes.h"
#include "quant/scale.h"

#include <math.h>
#include <string.h>

enum { N = 8 };

static const uint64_t whole_shape[] = { 2, 2, 2 };

static const struct vector {
	enum phi_type_id type;
	enum phi_scaling_rule rule;
	bool reduced;
	uint32_t x[N], scale;
	int32_t zero, codes[N];
} vectors[] = {
#include "tests/unit/scaling_vectors.def"
};
enum { NVECTORS = sizeof vectors / sizeof *vectors };

static struct phi_scaling *
scaling_of(struct phi_arena *arena, enum phi_type_id type, enum phi_scaling_rule rule, const uint64_t *shape, int axis)
{
	struct phi_err err = { 0 };
	struct phi_scaling *const s = phi_scaling_new(arena, phi_type_of(type), rule, shape, 3, axis, &err);
	assert_non_null(s);
	return s;
}

static int32_t
code_of(const struct phi_type *type, const uint8_t *bytes, size_t i)
{
	switch (type->id) {
	case PHI_I8:
		return (int8_t)bytes[i];
	case PHI_U8:
		return bytes[i];
	case PHI_I16:
		return (int16_t)phi_load16(bytes + 2 * i);
	case PHI_U16:
		return phi_load16(bytes + 2 * i);
	default:
		return (int32_t)phi_load32(bytes + 4 * i);
	}
}

static void
set_range(struct phi_scaling *s, const float *x, size_t n)
{
	s->low[0] = s->high[0] = x[0];
	for (size_t i = 0; i < n; i++) {
		s->low[0] = fminf(s->low[0], x[i]);
		s->high[0] = fmaxf(s->high[0], x[i]);
	}
	phi_scaling_settle(s);
}

static void
vectors_are_the_runtimes(void **state)
{
	struct phi_err err = { 0 };
	struct phi_arena *const arena = phi_arena_new(&err);
	(void)state;
	for (unsigned i = 0; i < NVECTORS; i++) {
		const struct vector *const v = &vectors[i];
		struct phi_scaling *const s = scaling_of(arena, v->type, v->rule, whole_shape, -1);
		uint8_t made[2 * N];
		float x[N];
		for (unsigned k = 0; k < N; k++)
			x[k] = phi_float32(v->x[k]);
		s->reduced = v->reduced;
		set_range(s, x, N);
		if (phi_bits32(s->scale[0]) != v->scale || s->zero[0] != v->zero)
			fail_msg("vector %u: scale %08x, zero %d", i, phi_bits32(s->scale[0]), s->zero[0]);
		phi_scale(s, x, made, 0, N);
		for (unsigned k = 0; k < N; k++)
			if (code_of(s->type, made, k) != v->codes[k])
				fail_msg("vector %u, code %u: %d, not %d", i, k, code_of(s->type, made, k), v->codes[k]);
	}
	phi_arena_free(arena);
}

/* A tensor [3, 5, 2] with five scales; and one whose last axis has them. */
static void
channels_are_found_from_any_place(void **state)
{
	enum { ELEMENTS = 30 };
	static const uint64_t inners[] = { 2, 1 }, shapes[][3] = { { 3, 5, 2 }, { 3, 2, 5 } };
	struct phi_err err = { 0 };
	struct phi_arena *const arena = phi_arena_new(&err);
	float x[ELEMENTS];
	(void)state;
	for (unsigned i = 0; i < ELEMENTS; i++)
		x[i] = sinf((float)i) * 40;
	for (unsigned form = 0; form < 2; form++) {
		struct phi_scaling *const s = scaling_of(arena, PHI_I8, PHI_SCALING_SYMMETRIC, shapes[form], 1 + (int)form);
		int8_t whole[ELEMENTS], pieces[ELEMENTS];
		for (unsigned c = 0; c < 5; c++) {
			s->scale[c] = 0.4f + (float)c;
			s->zero[c] = 0;
		}
		phi_scale(s, x, whole, 0, ELEMENTS);
		for (unsigned i = 0; i < ELEMENTS; i++)
			assert_int_equal(whole[i], lrintf(x[i] / s->scale[i / inners[form] % 5]));
		for (unsigned at = 0; at < ELEMENTS; at += 7)
			phi_scale(s, x + at, pieces + at, at, ELEMENTS - at < 7 ? ELEMENTS - at : 7);
		assert_memory_equal(pieces, whole, sizeof whole);
	}
	phi_arena_free(arena);
}

/* Longer than the strips it is made in. */
static void
length_does_not_matter(void **state)
{
	enum { LONG = 1000 };
	struct phi_err err = { 0 };
	struct phi_arena *const arena = phi_arena_new(&err);
	static float x[LONG];
	uint8_t whole[2 * LONG], one[2];
	(void)state;
	for (unsigned i = 0; i < LONG; i++)
		x[i] = cosf((float)i * 0.7f) * (float)i;
	struct phi_scaling *const s = scaling_of(arena, PHI_U16, PHI_SCALING_AFFINE, whole_shape, -1);
	set_range(s, x, LONG);
	phi_scale(s, x, whole, 0, LONG);
	for (unsigned i = 0; i < LONG; i++) {
		phi_scale(s, x + i, one, i, 1);
		assert_memory_equal(one, whole + 2 * i, 2);
	}
	phi_arena_free(arena);
}

static void
bias_goes_with_its_weight(void **state)
{
	struct phi_err err = { 0 };
	struct phi_arena *const arena = phi_arena_new(&err);
	struct phi_scaling *const weight = scaling_of(arena, PHI_I8, PHI_SCALING_SYMMETRIC, whole_shape, -1);
	struct phi_scaling *const bias = scaling_of(arena, PHI_I32, PHI_SCALING_BIAS, whole_shape, -1);
	const float x[] = { 1, -2.5f, 0.125f };
	uint8_t made[12];
	(void)state;
	bias->weight = weight;
	bias->input = 0.5f;
	bias->low[0] = -2.5f;
	bias->high[0] = 1;
	weight->scale[0] = 0.25f;
	weight->known = true;
	phi_scaling_yield(bias);
	assert_true(weight->scale[0] == 0.25f);
	phi_scaling_settle(bias);
	assert_true(bias->scale[0] == 0.125f);
	phi_scale(bias, x, made, 0, 3);
	assert_int_equal(code_of(bias->type, made, 0), 8);
	assert_int_equal(code_of(bias->type, made, 1), -20);
	assert_int_equal(code_of(bias->type, made, 2), 1);
	/* 2.5 in steps of 1e-10 takes more than 31 bits: the weight's steps grow until it does not. */
	weight->scale[0] = 2e-10f;
	phi_scaling_yield(bias);
	assert_true(weight->scale[0] > 2e-9f);
	phi_scaling_settle(bias);
	phi_scale(bias, x, made, 0, 3);
	assert_in_range(-code_of(bias->type, made, 1), 2147000000, INT32_MAX);
	/* Of a weight that stays float: its own. */
	weight->known = false;
	phi_scaling_settle(bias);
	assert_true(bias->scale[0] == 2.5f / (1 << 30));
	phi_scale(bias, x, made, 0, 3);
	assert_int_equal(code_of(bias->type, made, 1), -(1 << 30));
	phi_arena_free(arena);
}

static void
too_many_scales_are_refused(void **state)
{
	struct phi_err err = { 0 };
	struct phi_arena *const arena = phi_arena_new(&err);
	const uint64_t shape[] = { PHI_SCALES_MAX + 1, 2 };
	(void)state;
	assert_null(phi_scaling_new(arena, phi_type_of(PHI_I8), PHI_SCALING_SYMMETRIC, shape, 2, 0, &err));
	assert_int_equal(err.kind, PHI_LIMIT);
	phi_arena_free(arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_are_the_runtimes),
		cmocka_unit_test(channels_are_found_from_any_place),
		cmocka_unit_test(length_does_not_matter),
		cmocka_unit_test(bias_goes_with_its_weight),
		cmocka_unit_test(too_many_scales_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
