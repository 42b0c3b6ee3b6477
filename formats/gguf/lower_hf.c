#include "formats/gguf/lower_hf.h"

#include "formats/core/checked.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/gguf/ftype.h"
#include "formats/gguf/hf_keys.h"
#include "formats/gguf/quantize.h"
#include "formats/models/stack.h"
#include "formats/models/family.h"

#include <stdlib.h>
#include <string.h>

/* The order of the tensors: by the name of their file, and within it by name; but a pickle's keep the
 * pickle's order. `at` is the index in the origin. */
struct place {
	const char *file, *name;
	bool pickled;
	uint32_t at;
};

static bool
ends_with(const char *s, const char *end)
{
	const size_t n = strlen(s), m = strlen(end);
	return n >= m && !strcmp(s + n - m, end);
}

static int
by_place(const void *a, const void *b)
{
	const struct place *const x = a, *const y = b;
	const int files = strcmp(x->file, y->file);
	const int names = x->pickled ? 0 : strcmp(x->name, y->name);
	if (files || names)
		return files ? files : names;
	return x->at < y->at ? -1 : x->at > y->at;
}

static struct place
place_of(const struct phi_model *model, uint32_t at)
{
	const struct phi_tensor *const t = &model->tensors[at];
	struct place p = { .file = "", .name = t->canonical ? t->canonical : t->name, .at = at };
	const char *const file = phi_model_file(model, t);
	if (file)
		p.file = file;
	p.pickled = ends_with(p.file, ".bin") || ends_with(p.file, ".pt") ||
		ends_with(p.file, ".pth");
	return p;
}

/* Puts the lowered model's tensors, which are the origin's, in order, and leaves out what the family
 * carries nowhere. */
static int
order_tensors(struct phi_model *lowered, struct phi_err *err)
{
	const struct phi_model *const origin = lowered->origin;
	const size_t n = lowered->ntensors;
	struct place *const places = phi_calloc(n + 1, sizeof *places, err);
	struct phi_tensor *const sorted = phi_calloc(n + 1, sizeof *sorted, err);
	const int result = places && sorted ? 0 : -1;
	if (result == 0) {
		size_t kept = 0;
		for (size_t i = 0; i < n; i++)
			places[i] = place_of(origin, (uint32_t)i);
		qsort(places, n, sizeof *places, by_place);
		for (size_t i = 0; i < n; i++) {
			const struct phi_tensor *const t = &lowered->tensors[places[i].at];
			const struct phi_family_tensor *const e = phi_family_entry(lowered, t);
			if (e && e->presence != PHI_DROPPED)
				sorted[kept++] = *t;
		}
		memcpy(lowered->tensors, sorted, kept * sizeof *sorted);
		lowered->ntensors = kept;
	}
	phi_free(places);
	phi_free(sorted);
	return result;
}

static int
rename_tensors(struct phi_model *lowered, struct phi_err *err)
{
	for (size_t i = 0; i < lowered->ntensors; i++) {
		struct phi_tensor *const t = &lowered->tensors[i];
		const struct phi_family_tensor *const e = phi_family_entry(lowered, t);
		struct phi_quoted q;
		if (!e->gguf)
			return phi_fail(err, PHI_UNSUPPORTED, "tensor %s has no place in a GGUF",
				phi_quote(&q, t->name));
		t->name = phi_family_spell(e->gguf,
			(struct phi_holes){ .layer = t->layer }, lowered->arena, err);
		if (!t->name)
			return -1;
		t->alias = PHI_NONE; /* GGUF has none: tied weights are left out or written twice */
	}
	return 0;
}

/* Factors of the rotary embedding stand in config.json and become a tensor: F32, whatever the recipe. */
static int
make_factors(struct phi_model *lowered, struct phi_tensor *t, enum phi_role role,
	const double *factors, size_t n, struct phi_err *err)
{
	float *const values = phi_arena_calloc(lowered->arena, n, sizeof *values, err);
	struct phi_part *const part = phi_arena_calloc(lowered->arena, 1, sizeof *part, err);
	if (!values || !part)
		return -1;
	if (n * sizeof *values > PHI_LITERAL_MAX)
		return phi_fail(err, PHI_LIMIT, "%zu rope factors, at most %zu", n,
			PHI_LITERAL_MAX / sizeof *values);
	for (size_t i = 0; i < n; i++)
		values[i] = (float)factors[i];
	*part = (struct phi_part){ .kind = PHI_PART_LITERAL, .literal = values, .rows = n,
		.size = n * sizeof *values };
	*t = (struct phi_tensor){
		.name = role == PHI_ROLE_ROPE_LONG ? "rope_factors_long.weight"
						   : "rope_factors_short.weight",
		.role = role,
		.layer = -1,
		.type = phi_type_of(PHI_F32),
		.rank = 1,
		.shape = { n },
		.nparts = 1,
		.parts = part,
		.alias = PHI_NONE,
		.fixed = true,
	};
	return 0;
}

/* The factors come before all others. */
static int
add_factors(struct phi_model *lowered, const struct phi_hparams *h, struct phi_err *err)
{
	if (h->rope != PHI_ROPE_LONGROPE)
		return 0;
	if (!phi_model_add_tensor(lowered, err) || !phi_model_add_tensor(lowered, err))
		return -1;
	memmove(lowered->tensors + 2, lowered->tensors,
		(lowered->ntensors - 2) * sizeof *lowered->tensors);
	if (make_factors(lowered, &lowered->tensors[0], PHI_ROLE_ROPE_LONG, h->long_factor, h->nlong,
		    err) < 0)
		return -1;
	return make_factors(lowered, &lowered->tensors[1], PHI_ROLE_ROPE_SHORT, h->short_factor,
		h->nshort, err);
}

/* The type of "auto": that of the first matrix in 16 bits; F16 where there is none. */
static enum phi_type_id
guess(const struct phi_model *lowered)
{
	for (size_t i = 0; i < lowered->ntensors; i++) {
		const struct phi_tensor *const t = &lowered->tensors[i];
		if (t->rank >= 2 && (t->type->id == PHI_BF16 || t->type->id == PHI_F16))
			return t->type->id;
	}
	return PHI_F16;
}

/* Recipes that the converter itself knows, with ggml's number of the file type. */
static const struct outtype {
	const char *name;
	enum phi_type_id type;
	uint32_t file_type;
} outtypes[] = {
	{ "f32", PHI_F32, 0 },
	{ "f16", PHI_F16, 1 },
	{ "q8_0", PHI_Q8_0, 7 },
	{ "bf16", PHI_BF16, 32 },
};

/* Other recipes are llama-quantize's, applied to the file that has the folder's own type: "auto" of 16-bit
 * checkpoints, f32 of the others. Nothing is rounded in between. */
static const struct outtype *
choose_outtype(const struct phi_model *lowered, const char *recipe)
{
	const enum phi_type_id type = guess(lowered);
	const struct outtype *found = NULL;
	for (size_t i = 0; i < sizeof outtypes / sizeof *outtypes; i++) {
		if (recipe && !strcmp(outtypes[i].name, recipe))
			return &outtypes[i];
		if (outtypes[i].type == type)
			found = &outtypes[i];
	}
	return found;
}

/* Norms, vectors and routers are F32; the rest is what was asked for, or F16 where rows are no whole blocks. */
static void
set_types(struct phi_model *lowered, const struct outtype *outtype)
{
	const struct phi_type *const wanted = phi_type_of(outtype->type);
	for (size_t i = 0; i < lowered->ntensors; i++) {
		struct phi_tensor *const t = &lowered->tensors[i];
		if (t->fixed)
			continue;
		t->fixed = t->rank <= 1 || ends_with(t->name, "_norm.weight") ||
			t->role == PHI_ROLE_FFN_ROUTER;
		t->type = t->fixed ? phi_type_of(PHI_F32) : wanted;
		if (phi_tensor_row(t) % t->type->elements) {
			t->type = phi_type_of(PHI_F16);
			t->fixed = true;
		}
	}
}

static int
count_elements(const struct phi_model *lowered, struct phi_hf_facts *facts, struct phi_err *err)
{
	for (size_t i = 0; i < lowered->ntensors; i++) {
		const struct phi_tensor *const t = &lowered->tensors[i];
		uint64_t n;
		if (!phi_tensor_elements(t, &n) || !phi_add(facts->elements, n, &facts->elements))
			return phi_fail(err, PHI_LIMIT, "more than 2^64 elements in all");
		if (t->rank == 3)
			facts->expert_elements += n;
	}
	return 0;
}

/* A recipe that only llama-quantize knows: its order, its two keys. */
static int
quantize(struct phi_model *lowered, const struct outtype *outtype,
	const struct phi_lower_options *options, struct phi_err *err)
{
	const char *const recipe = options ? options->recipe : NULL;
	if (!recipe || !strcmp(recipe, "auto") || !strcmp(recipe, outtype->name))
		return 0;
	const struct phi_gguf_ftype *const ftype = phi_gguf_ftype_named(recipe);
	struct phi_quoted q;
	if (!ftype)
		return phi_fail(err, PHI_ARGUMENT, "recipe %s makes no GGUF; q4_k_m, q8_0, f16 do",
			phi_quote(&q, recipe));
	return phi_gguf_as_quantized(lowered, ftype->id, options, err);
}

static int
lower(struct phi_model *lowered, const struct phi_lower_options *options, struct phi_err *err)
{
	const struct phi_model *const origin = lowered->origin;
	const char *const recipe = options ? options->recipe : NULL;
	struct phi_hparams h;
	if (phi_family_hparams(origin, &h, err) < 0 ||
		phi_family_check(origin, &h, err) < 0 || order_tensors(lowered, err) < 0 ||
		phi_family_warn_extras(lowered, err) < 0)
		return -1;
	const struct outtype *const outtype = choose_outtype(lowered, recipe);
	if (phi_family_stack_experts(lowered, &h, err) < 0 || rename_tensors(lowered, err) < 0)
		return -1;
	if (add_factors(lowered, &h, err) < 0)
		return -1;
	set_types(lowered, outtype);
	struct phi_hf_facts facts = {
		.origin = origin,
		.hparams = &h,
		.name = options && options->name ? options->name : origin->name,
		.pre = options ? options->pre : NULL,
		.file_type = outtype->file_type,
	};
	lowered->name = phi_arena_strdup(lowered->arena, facts.name, err);
	if (!lowered->name || count_elements(lowered, &facts, err) < 0 ||
		phi_hf_keys(lowered, &facts, err) < 0)
		return -1;
	return quantize(lowered, outtype, options, err);
}

struct phi_model *
phi_gguf_lower_hf(const struct phi_model *model, const struct phi_lower_options *options,
	struct phi_err *err)
{
	struct phi_model *const lowered = phi_model_lower_same(model, err);
	if (!lowered)
		return NULL;
	lowered->view = "gguf";
	lowered->metadata = (struct phi_metadata){ 0 };
	if (lower(lowered, options, err) == 0)
		return lowered;
	phi_model_free(lowered);
	return NULL;
}
