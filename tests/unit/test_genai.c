/* A decoder's folder read back: tensors composed of rows of others against the definition, at every cut; and rope caches
 * that say what they were made of. The rest is tests/cli/genai.bats and tests/peers/test_genai_back.py. */
#include "formats/onnx/composed.h"
#include "formats/onnx/genai_rope.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { STORAGES = 4, FLOATS = 40000 };
static float memory[STORAGES][FLOATS];

static int
mem_read(struct phi_source *source, uint32_t storage, uint64_t offset, void *dst, size_t n, struct phi_err *err)
{
	(void)source;
	if (storage >= STORAGES || offset > sizeof memory[0] || n > sizeof memory[0] - offset)
		return phi_fail(err, PHI_TRUNCATED, "beyond the end");
	memcpy(dst, (const uint8_t *)memory[storage] + offset, n);
	return 0;
}

static const struct phi_source_ops below_ops = { .read = mem_read };

static struct phi_source *
open_below(void)
{
	struct phi_source *const s = phi_source_new("memory", &below_ops, 0, NULL);
	for (int i = 0; i < STORAGES; i++)
		*phi_model_add_storage(s->model, NULL) = (struct phi_storage){ .size = sizeof memory[i] };
	return s;
}

static struct phi_tensor *
add(struct phi_source *s, const char *name, uint32_t storage, uint64_t rows, uint64_t columns)
{
	struct phi_tensor *const t = phi_model_add_tensor(s->model, NULL);
	t->name = name;
	t->type = phi_type_of(PHI_F32);
	t->rank = 2;
	t->shape[0] = rows;
	t->shape[1] = columns;
	t->nplanes = 1;
	t->plane[0] = (struct phi_plane){ .storage = storage, .dense = true };
	return t;
}

/* Composing */

static struct phi_onnx_composition composition;

static int
read_composed(struct phi_source *source, uint32_t storage, uint64_t offset, void *dst, size_t n, struct phi_err *err)
{
	(void)source;
	return phi_onnx_compose_read(&composition, storage, offset, dst, n, err);
}

static const struct phi_source_ops ops = { .read = read_composed };

static struct phi_source *
open_composed(struct phi_source *below)
{
	struct phi_source *const s = phi_source_new("composed", &ops, 0, NULL);
	composition = (struct phi_onnx_composition){ .below = below };
	for (int i = 0; i < STORAGES; i++)
		for (int k = 0; k < FLOATS; k++)
			memory[i][k] = (float)(i * FLOATS + k);
	assert_int_equal(phi_onnx_compose_begin(&composition, s->model, NULL), 0);
	return s;
}

static void
close_composed(struct phi_source *s)
{
	phi_onnx_compose_end(&composition);
	phi_source_close(composition.below);
	phi_source_close(s);
}

/* Element [r, c] of the pieces, one after the other. */
static float
by_definition(const struct phi_onnx_piece *pieces, uint64_t r, uint64_t c)
{
	for (; r >= pieces->rows; pieces++)
		r -= pieces->rows;
	const struct phi_tensor *const t = pieces->tensor;
	const int64_t stride[2] = { t->plane[0].dense ? (int64_t)t->shape[1] : t->plane[0].stride[0],
		t->plane[0].dense ? 1 : t->plane[0].stride[1] };
	return memory[t->plane[0].storage][t->plane[0].offset / 4 +
		(uint64_t)((int64_t)(r + pieces->row) * stride[0] + (int64_t)c * stride[1])];
}

static void
check_composed(struct phi_source *s, const struct phi_onnx_piece *pieces, unsigned n, uint64_t rows)
{
	struct phi_err err = { 0 };
	struct phi_tensor t;
	float got[256];
	assert_int_equal(phi_onnx_compose(&composition, s->model, pieces, n, &t, &err), 0);
	assert_int_equal(t.shape[0], rows);
	const uint64_t all = rows * t.shape[1];
	for (uint64_t first = 0; first < all; first++)
		for (uint64_t count = 1; count <= all - first; count++) {
			assert_int_equal(phi_tensor_read(s, &t, false, first, count, got, &err), 0);
			for (uint64_t i = 0; i < count; i++)
				assert_true(got[i] == by_definition(pieces, (first + i) / t.shape[1], (first + i) % t.shape[1]));
		}
	/* And the storage itself, at every cut. */
	const uint32_t storage = t.plane[0].storage;
	const uint64_t size = s->model->storages[storage].size;
	uint8_t whole[1024], part[1024];
	if (size > sizeof whole)
		return; /* a slice of what is there */
	assert_int_equal(phi_source_read(s, storage, 0, whole, (size_t)size, &err), 0);
	for (uint64_t at = 0; at < size; at++) {
		assert_int_equal(phi_source_read(s, storage, at, part, (size_t)(size - at), &err), 0);
		assert_memory_equal(part, whole + at, (size_t)(size - at));
	}
}

static void
rows_of_several(void **state)
{
	struct phi_source *const below = open_below(), *const s = open_composed(below);
	(void)state;
	struct phi_tensor a = *add(below, "a", 0, 4, 5), b = *add(below, "b", 1, 3, 5), c = *add(below, "c", 2, 2, 5);
	check_composed(s, (const struct phi_onnx_piece[]){ { &a, 0, 4 }, { &b, 0, 3 }, { &c, 0, 2 } }, 3, 9);
	check_composed(s, (const struct phi_onnx_piece[]){ { &a, 1, 2 }, { &b, 2, 1 } }, 2, 3);
	check_composed(s, (const struct phi_onnx_piece[]){ { &a, 2, 2 } }, 1, 2);
	check_composed(s, (const struct phi_onnx_piece[]){ { &a, 0, 4 } }, 1, 4);
	close_composed(s);
}

static void
rows_that_are_stored_as_columns(void **state)
{
	struct phi_source *const below = open_below(), *const s = open_composed(below);
	(void)state;
	struct phi_tensor a = *add(below, "a", 0, 5, 4), b = *add(below, "b", 1, 5, 3);
	a.plane[0].offset = 8;
	assert_int_equal(phi_onnx_exchange(s->model->arena, &a, NULL), 0);
	assert_int_equal(phi_onnx_exchange(s->model->arena, &b, NULL), 0);
	assert_int_equal(a.shape[0], 4);
	check_composed(s, (const struct phi_onnx_piece[]){ { &a, 0, 4 }, { &b, 0, 3 } }, 2, 7);
	check_composed(s, (const struct phi_onnx_piece[]){ { &b, 1, 2 }, { &a, 3, 1 } }, 2, 3);
	check_composed(s, (const struct phi_onnx_piece[]){ { &a, 1, 2 } }, 1, 2);
	close_composed(s);
}

static void
what_does_not_fit(void **state)
{
	struct phi_source *const below = open_below(), *const s = open_composed(below);
	struct phi_err err = { 0 };
	struct phi_tensor made;
	(void)state;
	struct phi_tensor a = *add(below, "a", 0, 4, 5), b = *add(below, "b", 1, 5, 4), c = *add(below, "c", 2, 3, 5);
	const struct phi_onnx_piece other_rows[] = { { &a, 0, 4 }, { &b, 0, 5 } };
	assert_int_equal(phi_onnx_compose(&composition, s->model, other_rows, 2, &made, &err), -1);
	assert_int_equal(phi_onnx_exchange(s->model->arena, &b, NULL), 0);
	assert_int_equal(phi_onnx_compose(&composition, s->model, other_rows, 2, &made, &err), -1);
	assert_int_equal(phi_onnx_compose(&composition, s->model, &(struct phi_onnx_piece){ &a, 3, 2 }, 1, &made, &err), -1);
	c.type = phi_type_of(PHI_I32);
	const struct phi_onnx_piece other_type[] = { { &a, 0, 4 }, { &c, 0, 3 } };
	assert_int_equal(phi_onnx_compose(&composition, s->model, other_type, 2, &made, &err), -1);
	assert_string_equal(err.text, "tensor a is F32 and c is I32: they are not made one");
	close_composed(s);
}

/* Rope */

static void
fill(float *cosine, float *sine, uint64_t places, uint64_t half, float theta, const float *factors, double scale)
{
	for (uint64_t t = 0; t < places; t++)
		for (uint64_t i = 0; i < half; i++) {
			const float power = (float)pow((double)theta, (double)((float)(2 * i) / (float)(2 * half)));
			const float angle = (float)t * (1.0F / ((factors ? factors[i] : 1.0F) * power));
			cosine[t * half + i] = (float)(cos((double)angle) * scale);
			sine[t * half + i] = (float)(sin((double)angle) * scale);
		}
}

static void
theta_of_one_table(void **state)
{
	static const float thetas[] = { 10000, 250000, 1000000, 500, 12345.6F };
	(void)state;
	for (size_t i = 0; i < sizeof thetas / sizeof *thetas; i++) {
		struct phi_source *const below = open_below();
		struct phi_hparams h = { .context = 2000 };
		fill(memory[0], memory[1], 2000, 16, thetas[i], NULL, 1);
		add(below, "cos_cache", 0, 2000, 16);
		add(below, "sin_cache", 1, 2000, 16);
		assert_int_equal(phi_genai_rope(below, below->model->arena, &h, NULL), 0);
		assert_true((float)h.rope_theta == thetas[i] && h.rope == PHI_ROPE_PLAIN);
		assert_true(h.rotary == 32 && h.context == 2000 && h.attention_factor == 1);
		phi_source_close(below);
	}
}

static const float short_factors[] = { 1, 1, 1.05F, 1.1F, 1.15F, 1.2F, 1.299999952316284F, 1.5F };
static const float long_factors[] = { 1.08F, 1.11F, 2.03F, 3.0999F, 9.5F, 21.27F, 44.16F, 61.52F };

static void
check_factors(const double *got, size_t n, const float *want)
{
	assert_int_equal(n, 8);
	for (size_t i = 0; i < n; i++)
		assert_true((float)got[i] == want[i]);
}

/* In two tables, and one after the other in one. */
static void
factors_of_two_tables(void **state)
{
	const double scale = sqrt(1 + log(3500.0 / 512) / log(512));
	(void)state;
	for (int joined = 0; joined < 2; joined++) {
		struct phi_source *const below = open_below();
		struct phi_hparams h = { .context = 3500 };
		const int large = joined ? 0 : 2, at = joined ? 512 * 8 : 0;
		fill(memory[0], memory[1], 512, 8, 10000, short_factors, scale);
		fill(memory[large] + at, memory[large + 1] + at, 3500, 8, 10000, long_factors, scale);
		add(below, joined ? "cos_cache" : "/If.else_branch/cos_cache_small", 0, joined ? 4012 : 512, 8);
		add(below, joined ? "sin_cache" : "/If.else_branch/sin_cache_small", 1, joined ? 4012 : 512, 8);
		if (!joined) {
			add(below, "/If.then_branch/cos_cache_large", 2, 3500, 8);
			add(below, "/If.then_branch/sin_cache_large", 3, 3500, 8);
		}
		assert_int_equal(phi_genai_rope(below, below->model->arena, &h, NULL), 0);
		assert_true(h.rope == PHI_ROPE_LONGROPE && h.context == 3500 && h.original_context == 512 && h.rotary == 16);
		assert_true(fabs(h.attention_factor - scale) < 1e-12 && h.rope_theta == 10000);
		check_factors(h.short_factor, h.nshort, short_factors);
		check_factors(h.long_factor, h.nlong, long_factors);
		phi_source_close(below);
	}
}

static void
caches_of_something_else(void **state)
{
	struct phi_hparams h = { .context = 512 };
	struct phi_err err = { 0 };
	struct phi_source *const below = open_below();
	(void)state;
	assert_int_equal(phi_genai_rope(below, below->model->arena, &h, &err), -1);
	add(below, "cos_cache", 0, 512, 8);
	add(below, "sin_cache", 1, 512, 8);
	fill(memory[0], memory[1], 512, 8, 10000, NULL, 1.25);
	assert_int_equal(phi_genai_rope(below, below->model->arena, &h, &err), -1);
	assert_string_equal(err.text, "tensor cos_cache: it is scaled, which goes with two tables only");
	fill(memory[0], memory[1], 512, 8, 10000, long_factors, 1);
	assert_int_equal(phi_genai_rope(below, below->model->arena, &h, &err), -1);
	assert_string_equal(err.text, "tensor cos_cache: frequencies of no theta");
	phi_source_close(below);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_of_several),
		cmocka_unit_test(rows_that_are_stored_as_columns),
		cmocka_unit_test(what_does_not_fit),
		cmocka_unit_test(theta_of_one_table),
		cmocka_unit_test(factors_of_two_tables),
		cmocka_unit_test(caches_of_something_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
