/* A model with a low-rank adapter worked in: W + s B A, made row by row as it is read. A source over the
 * model: each adapted weight has a storage of its own, whose bytes are computed; the rest is passed on.
 *
 *     PEFT folder    adapter_config.json        lora_alpha, use_rslora ...
 *                    adapter_model.safetensors  base_model.model.NAME.lora_A.weight [r, in]
 *                                               base_model.model.NAME.lora_B.weight [out, r]
 *     GGUF           adapter.lora.alpha         NAME.lora_a [r, in], NAME.lora_b [out, r]
 *
 * An element is W + s * (B0 A0 + B1 A1 + ...), each step rounded to F32 in this order, then rounded to
 * W's type. Whatever the adapter has beyond that (DoRA, biases, whole modules) is refused. */
#include "formats/formats.h"

#include "formats/core/escape.h"
#include "formats/core/json.h"
#include "formats/core/memory.h"
#include "formats/inside.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { FACTOR_MAX = 1 << 30, CONFIG_MAX = 1 << 20 };

struct pair {
	uint32_t target; /* tensor of the base */
	float *a, *b;	 /* [rank, columns], [rows, rank] */
	uint64_t rank, rows, columns;
	float scale;
	struct phi_convert decode, encode;
};

struct lora {
	struct phi_source *base;
	struct pair *pairs; /* pair i makes storage first + i */
	size_t npairs, capacity;
	uint32_t first;
};

struct adapter {
	struct phi_source *source;
	double alpha, scale; /* scale NaN: alpha / rank */
	bool rslora, peft;
	const struct phi_converters *converters;
};

/* Row `row` of W + s B A, in W's type. `w` and `sum` hold a row of floats. */
static int
make_row(const struct lora *l, const struct pair *p, uint64_t row, uint8_t *raw, float *w,
	struct phi_err *err)
{
	const struct phi_tensor *const t = &l->base->model->tensors[p->target];
	float *const sum = w + p->columns;
	uint64_t bad = 0;
	if (phi_tensor_read(l->base, t, false, row * p->columns, p->columns, raw, err))
		return -1;
	if (p->decode.run(&p->decode, raw, w, p->columns, p->columns, NULL, PHI_OVERFLOW_KEEP, &bad))
		return phi_fail(err, PHI_FORMAT, "row %" PRIu64 " cannot be decoded", row);
	memset(sum, 0, p->columns * sizeof *sum);
	for (uint64_t k = 0; k < p->rank; k++) {
		const float b = p->b[row * p->rank + k];
		const float *const a = p->a + k * p->columns;
		for (uint64_t c = 0; c < p->columns; c++)
			sum[c] += b * a[c];
	}
	for (uint64_t c = 0; c < p->columns; c++)
		w[c] += p->scale * sum[c];
	if (p->encode.run(&p->encode, w, raw, p->columns, p->columns, NULL, PHI_OVERFLOW_FAIL, &bad))
		return phi_fail(err, PHI_ARGUMENT,
			"element %" PRIu64 ": with the adapter it is no number or does not fit %s",
			row * p->columns + bad, t->type->name);
	return 0;
}

static int
read_rows(const struct lora *l, const struct pair *p, uint64_t offset, uint8_t *dst, size_t n,
	struct phi_err *err)
{
	const struct phi_type *const type = l->base->model->tensors[p->target].type;
	const uint64_t row_bytes = p->columns / type->elements * type->bytes;
	uint8_t *const raw = phi_alloc((size_t)row_bytes, err);
	float *const w = raw ? phi_calloc(2 * p->columns, sizeof *w, err) : NULL;
	int result = w ? 0 : -1;
	while (!result && n) {
		const uint64_t within = offset % row_bytes;
		const size_t run = n < row_bytes - within ? n : (size_t)(row_bytes - within);
		result = make_row(l, p, offset / row_bytes, raw, w, err);
		if (!result)
			memcpy(dst, raw + within, run);
		dst += run;
		offset += run;
		n -= run;
	}
	phi_free(w);
	phi_free(raw);
	return result;
}

static int
read_storage(struct phi_source *source, uint32_t storage, uint64_t offset, void *dst, size_t n,
	struct phi_err *err)
{
	const struct lora *const l = source->state;
	if (storage < l->first)
		return phi_source_read(l->base, storage, offset, dst, n, err);
	return read_rows(l, &l->pairs[storage - l->first], offset, dst, n, err);
}

static void
close_base(struct phi_source *source)
{
	struct lora *const l = source->state;
	for (size_t i = 0; i < l->npairs; i++) {
		phi_free(l->pairs[i].a);
		phi_free(l->pairs[i].b);
	}
	phi_free(l->pairs);
	phi_source_close(l->base);
	phi_free(l);
}

static const struct phi_source_ops ops = { .read = read_storage, .close = close_base };

/* A whole factor as floats. */
static float *
load_factor(const struct adapter *a, const struct phi_tensor *t, struct phi_err *err)
{
	struct phi_convert convert;
	uint64_t n, bytes, bad = 0;
	if (!phi_tensor_elements(t, &n) || !phi_tensor_bytes(t, &bytes) ||
		n > FACTOR_MAX / sizeof(float)) {
		phi_fail(err, PHI_LIMIT, "more than %d bytes", FACTOR_MAX);
		return NULL;
	}
	if (a->converters->find(t->type, phi_type_of(PHI_F32), &convert, err))
		return NULL;
	float *const out = phi_calloc((size_t)n + 1, sizeof *out, err);
	void *const raw = out ? phi_alloc((size_t)bytes + 1, err) : NULL;
	int result = raw ? phi_tensor_read(a->source, t, false, 0, n, raw, err) : -1;
	if (!result && n && convert.run(&convert, raw, out, n, t->shape[1], NULL, PHI_OVERFLOW_FAIL, &bad))
		result = phi_fail(err, PHI_FORMAT, "element %" PRIu64 " is no number", bad);
	phi_free(raw);
	if (!result)
		return out;
	phi_free(out);
	return NULL;
}

/* The name of the weight that a factor belongs to, and which factor it is: 'a' or 'b'; 0: none. */
static char
split_name(const struct adapter *a, const char *name, char *out, size_t size)
{
	static const char prefix[] = "base_model.model.";
	static const struct {
		const char *tail;
		char factor;
	} tails[] = { { ".lora_A.weight", 'a' }, { ".lora_B.weight", 'b' },
		{ ".lora_A.default.weight", 'a' }, { ".lora_B.default.weight", 'b' },
		{ ".lora_a", 'a' }, { ".lora_b", 'b' } };
	const size_t n = strlen(name);
	for (size_t i = a->peft ? 0 : 4; i < (a->peft ? 4 : 6); i++) {
		const size_t m = strlen(tails[i].tail);
		if (n <= m || strcmp(name + n - m, tails[i].tail))
			continue;
		const size_t skip = a->peft && !strncmp(name, prefix, strlen(prefix))
			? strlen(prefix) : 0;
		if (skip + m > n || (size_t)snprintf(out, size, "%.*s%s", (int)(n - m - skip),
					   name + skip, a->peft ? ".weight" : "") >= size)
			return 0;
		return tails[i].factor;
	}
	return 0;
}

static uint32_t
find_target(const struct phi_model *model, const char *name)
{
	for (size_t i = 0; i < model->ntensors; i++) {
		const struct phi_tensor *const t = &model->tensors[i];
		if (!strcmp(t->name, name) || (t->canonical && !strcmp(t->canonical, name)))
			return (uint32_t)i;
	}
	return PHI_NONE;
}

static struct pair *
pair_of(struct lora *l, uint32_t target, struct phi_err *err)
{
	for (size_t i = 0; i < l->npairs; i++)
		if (l->pairs[i].target == target)
			return &l->pairs[i];
	if (phi_grow(&l->pairs, &l->capacity, l->npairs, sizeof *l->pairs, err))
		return NULL;
	l->pairs[l->npairs] = (struct pair){ .target = target };
	return &l->pairs[l->npairs++];
}

static int
add_factor(struct lora *l, const struct adapter *a, const struct phi_tensor *t, struct phi_err *err)
{
	char name[PHI_NAME_MAX + 16];
	const char factor = split_name(a, t->name, name, sizeof name);
	if (!factor || t->rank != 2)
		return phi_fail(err, PHI_UNSUPPORTED, "is no factor of a plain adapter");
	const uint32_t target = find_target(l->base->model, name);
	struct phi_quoted q;
	if (target == PHI_NONE)
		return phi_fail(err, PHI_ARGUMENT, "the model has no %s", phi_quote(&q, name));
	struct pair *const p = pair_of(l, target, err);
	if (!p)
		return -1;
	float **const place = factor == 'a' ? &p->a : &p->b;
	if (*place)
		return phi_fail(err, PHI_FORMAT, "a second factor for %s", phi_quote(&q, name));
	*place = load_factor(a, t, err);
	if (factor == 'a') {
		p->rank = t->shape[0];
		p->columns = t->shape[1];
	} else {
		p->rows = t->shape[0];
		p->scale = (float)t->shape[1]; /* its rank, until complete_pair */
	}
	return *place ? 0 : -1;
}

static int
complete_pair(const struct lora *l, const struct adapter *a, struct pair *p, struct phi_err *err)
{
	const struct phi_tensor *const t = &l->base->model->tensors[p->target];
	const struct phi_type *const f32 = phi_type_of(PHI_F32);
	if (t->packed)
		return phi_fail(err, PHI_UNSUPPORTED,
			"a packed weight cannot be adapted; write the model unpacked first");
	if (!p->a || !p->b)
		return phi_fail(err, PHI_FORMAT, "one of its two factors is missing");
	if (t->rank != 2 || t->nplanes != 1 || t->shape[0] != p->rows || t->shape[1] != p->columns ||
		(float)p->rank != p->scale || !p->rank)
		return phi_fail(err, PHI_FORMAT, "its factors do not fit its shape");
	const double root = a->rslora ? sqrt((double)p->rank) : (double)p->rank;
	p->scale = (float)(isnan(a->scale) ? a->alpha / root : a->scale);
	return a->converters->find(t->type, f32, &p->decode, err) ||
			a->converters->find(f32, t->type, &p->encode, err)
		? -1
		: 0;
}

static int
take_factors(struct lora *l, const struct adapter *a, struct phi_err *err)
{
	const struct phi_model *const model = a->source->model;
	struct phi_quoted q;
	for (size_t i = 0; i < model->ntensors; i++)
		if (add_factor(l, a, &model->tensors[i], err))
			return phi_context(err, "tensor %s", phi_quote(&q, model->tensors[i].name));
	if (!l->npairs)
		return phi_fail(err, PHI_FORMAT, "an adapter without tensors");
	for (size_t i = 0; i < l->npairs; i++)
		if (complete_pair(l, a, &l->pairs[i], err))
			return phi_context(err, "%s",
				phi_quote(&q, l->base->model->tensors[l->pairs[i].target].name));
	return 0;
}

/* Is a member of the configuration absent, null, false, or empty? */
static bool
unset(const json_t *config, const char *name)
{
	const json_t *const v = json_object_get(config, name);
	return !v || json_is_null(v) || json_is_false(v) ||
		(json_is_object(v) && !json_object_size(v)) || (json_is_array(v) && !json_array_size(v));
}

static int
read_peft(struct adapter *a, const json_t *config, struct phi_err *err)
{
	static const char *const unknown[] = { "use_dora", "fan_in_fan_out", "rank_pattern",
		"alpha_pattern", "modules_to_save", "lora_bias", "alora_invocation_tokens" };
	const json_t *const alpha = json_object_get(config, "lora_alpha");
	const char *const kind = json_string_value(json_object_get(config, "peft_type"));
	const char *const bias = json_string_value(json_object_get(config, "bias"));
	if (!kind || strcmp(kind, "LORA"))
		return phi_fail(err, PHI_UNSUPPORTED, "peft_type is not LORA");
	for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
		if (!unset(config, unknown[i]))
			return phi_fail(err, PHI_UNSUPPORTED, "%s is set", unknown[i]);
	if (bias && strcmp(bias, "none"))
		return phi_fail(err, PHI_UNSUPPORTED, "bias is not none");
	if (!json_is_number(alpha) && isnan(a->scale))
		return phi_fail(err, PHI_FORMAT, "there is no lora_alpha");
	a->alpha = json_number_value(alpha);
	a->rslora = json_is_true(json_object_get(config, "use_rslora"));
	return 0;
}

static int
load_config(struct adapter *a, struct phi_store *store, struct phi_err *err)
{
	static const char name[] = "adapter_config.json";
	struct phi_member *const member = phi_store_member(store, name, err);
	void *text = NULL;
	size_t size = 0;
	if (!member)
		return -1;
	int result = phi_member_load(member, CONFIG_MAX, &text, &size, err);
	json_t *const config = result ? NULL : phi_json_parse(text, size, 0, err);
	result = config ? read_peft(a, config, err) : -1;
	json_decref(config);
	phi_free(text);
	phi_member_close(member);
	return result ? phi_context(err, "%s", name) : 0;
}

static int
open_peft(struct adapter *a, struct phi_store *store, const char *path,
	const struct phi_open_options *options, struct phi_err *err)
{
	char file[4096];
	a->peft = true;
	if ((size_t)snprintf(file, sizeof file, "%s/adapter_model.safetensors", path) >= sizeof file)
		return phi_fail(err, PHI_ARGUMENT, "too long a path");
	if (load_config(a, store, err))
		return -1;
	a->source = phi_open(file, options, err);
	return a->source ? 0 : -1;
}

static int
open_gguf(struct adapter *a, const char *path, const struct phi_open_options *options,
	struct phi_err *err)
{
	a->source = phi_open(path, options, err);
	if (!a->source)
		return -1;
	const struct phi_metadata *const keys = &a->source->model->metadata;
	const char *const type = phi_value_string(phi_metadata_find(keys, "adapter.type"));
	if (!type || strcmp(type, "lora"))
		return phi_fail(err, PHI_ARGUMENT,
			"neither a folder with adapter_config.json nor a GGUF of an adapter");
	if (!phi_value_f64(phi_metadata_find(keys, "adapter.lora.alpha"), &a->alpha) &&
		isnan(a->scale))
		return phi_fail(err, PHI_FORMAT, "there is no key adapter.lora.alpha");
	return 0;
}

static int
open_adapter(struct adapter *a, const char *path, const struct phi_open_options *options,
	struct phi_err *err)
{
	struct phi_store *const store = phi_store_open(path, NULL, err);
	if (!store)
		return -1;
	const int result = phi_store_kind(store) == PHI_STORE_FOLDER
		? open_peft(a, store, path, options, err) : open_gguf(a, path, options, err);
	phi_store_close(store);
	return result;
}

/* The model of the base, its adapted tensors in storages of their own. */
static int
describe(struct phi_source *source, struct lora *l, struct phi_err *err)
{
	const struct phi_model *const from = l->base->model;
	struct phi_model *const model = source->model;
	model->format = from->format;
	model->view = from->view;
	model->name = from->name;
	model->recipe = from->recipe;
	if (phi_model_append_lists(model, from, err))
		return -1;
	l->first = (uint32_t)model->nstorages;
	for (size_t i = 0; i < from->ntensors; i++)
		if (phi_model_append_tensor(model, &from->tensors[i], 0, err))
			return -1;
	for (size_t i = 0; i < l->npairs; i++) {
		struct phi_tensor *const t = &model->tensors[l->pairs[i].target];
		struct phi_storage *const s = phi_model_add_storage(model, err);
		if (!s)
			return -1;
		*s = (struct phi_storage){ .file = from->storages[t->plane[0].storage].file };
		phi_tensor_bytes(t, &s->size);
		t->plane[0] = (struct phi_plane){ .storage = l->first + (uint32_t)i, .dense = true };
	}
	return 0;
}

/* Takes the base, also on failure. */
static struct phi_source *
wrap(struct phi_source *base, const struct adapter *a, const struct phi_open_options *options,
	struct phi_err *err)
{
	struct phi_source *const source = phi_source_new("adapted", &ops, sizeof(struct lora), err);
	if (!source) {
		phi_source_close(base);
		return NULL;
	}
	struct lora *const l = source->state;
	l->base = base;
	if (!take_factors(l, a, err) && !describe(source, l, err) &&
		!phi_settle_description(source, options, err))
		return source;
	phi_source_close(source);
	return NULL;
}

struct phi_source *
phi_open_adapted(struct phi_source *base, const char *path, double scale,
	const struct phi_converters *converters, const struct phi_open_options *options,
	struct phi_err *err)
{
	struct phi_open_options inner = *options;
	struct adapter a = { .scale = scale, .converters = converters };
	struct phi_source *source = NULL;
	struct phi_quoted q;
	inner.name = NULL;
	if (!phi_source_settle(base, options->spool, err) && !open_adapter(&a, path, &inner, err)) {
		inner.name = options->name;
		inner.members = true; /* the base has seen to its packed weights */
		source = wrap(base, &a, &inner, err);
		base = NULL;
	}
	if (!source) {
		phi_context(err, "adapter %s", phi_quote(&q, path));
		phi_source_close(base);
	}
	phi_source_close(a.source);
	return source;
}
