/* A GGUF as the checkpoint it was made of: everything a folder says in files is made of what the GGUF says in keys, and
 * the description becomes the folder's. From there on it is lowered like one. */
#include "formats/formats.h"

#include "formats/core/buffer.h"
#include "formats/core/config.h"
#include "formats/core/kept.h"
#include "formats/models/config_text.h"
#include "formats/models/family.h"
#include "formats/tokenizer/from_keys.h"
#include "formats/tokenizer/write.h"

#include <string.h>

struct making {
	struct phi_source *source;
	struct phi_model *model;
	struct phi_hparams hparams;
	const struct phi_type *dtype;
	struct phi_vocabulary vocabulary;
	struct phi_tokenizer_form form;
	bool config, tokenizer; /* were they made up here? */
};

/* The factors of one of the two tensors, in the model's arena. */
static int
read_factors(struct making *m, enum phi_role role, const double **factors, size_t *n, struct phi_err *err)
{
	const struct phi_tensor *const t = phi_model_with_role(m->model, role);
	if (!t)
		return phi_fail(err, PHI_FORMAT, "tensor rope_factors_%s.weight is missing",
			role == PHI_ROLE_ROPE_LONG ? "long" : "short");
	if (t->type != phi_type_of(PHI_F32) || t->shape[0] * sizeof(float) > PHI_PARAMETER_MAX)
		return phi_fail(err, PHI_UNSUPPORTED, "tensor %s: no short list of F32", t->name);
	*n = (size_t)t->shape[0];
	float *const raw = phi_arena_calloc(m->model->arena, *n, sizeof *raw, err);
	double *const wide = phi_arena_calloc(m->model->arena, *n, sizeof *wide, err);
	if (!raw || !wide || phi_tensor_read(m->source, t, false, 0, *n, raw, err) < 0)
		return -1;
	for (size_t i = 0; i < *n; i++) {
		wide[i] = (double)raw[i];
		if (wide[i] - wide[i] != 0)
			return phi_fail(err, PHI_FORMAT, "tensor %s: element %zu is no number", t->name, i);
	}
	*factors = wide;
	return 0;
}

static int
read_hparams(struct making *m, struct phi_err *err)
{
	struct phi_hparams *const h = &m->hparams;
	if (phi_family_hparams(m->model, h, err) < 0 || phi_family_check(m->model, h, err) < 0)
		return -1;
	if (h->rope != PHI_ROPE_LONGROPE)
		return 0;
	return read_factors(m, PHI_ROLE_ROPE_LONG, &h->long_factor, &h->nlong, err) < 0 ||
			read_factors(m, PHI_ROLE_ROPE_SHORT, &h->short_factor, &h->nshort, err) < 0
		? -1 : 0;
}

static bool
is_matrix(const struct phi_tensor *t)
{
	return t->rank >= 2 && t->role != PHI_ROLE_FFN_ROUTER;
}

/* The type of the checkpoint's weights: of the first matrix in 16 bits; F32 if there are no others; else the family's,
 * since nothing tells what was quantized. (Norms and routers of a GGUF are F32 whatever they were.) */
static const struct phi_type *
guess_dtype(const struct phi_model *model)
{
	bool single = true;
	for (size_t i = 0; i < model->ntensors; i++) {
		const struct phi_type *const type = model->tensors[i].type;
		if (!is_matrix(&model->tensors[i]))
			continue;
		if (type->id == PHI_F16 || type->id == PHI_BF16)
			return type;
		single = single && type->id == PHI_F32;
	}
	return single ? phi_type_of(PHI_F32) : phi_family_dtype(model->family);
}

/* Makes a side file of what `write` left in the buffer. */
static int
add_side(struct making *m, const char *name, struct phi_buffer *text, int written, struct phi_err *err)
{
	const int result = written < 0 ? -1
		: text->size > PHI_SIDE_MAX ? phi_fail(err, PHI_LIMIT, "%s would be larger than %d bytes", name,
			PHI_SIDE_MAX)
		: phi_model_add_side(m->model, name, text->data, text->size, err);
	phi_buffer_free(text);
	*text = (struct phi_buffer){ 0 };
	return result;
}

static int
make_config(struct making *m, struct phi_err *err)
{
	struct phi_buffer text = { 0 };
	if (phi_model_side(m->model, "config.json"))
		return 0;
	m->config = true;
	return add_side(m, "config.json", &text,
		phi_config_text(m->model->family, &m->hparams, m->dtype, &text, err), err);
}

static int
make_tokenizer(struct making *m, const char *pre, struct phi_err *err)
{
	const struct phi_vocabulary *const v = &m->vocabulary;
	struct phi_buffer text = { 0 };
	if (phi_model_side(m->model, "tokenizer.json") || phi_model_side(m->model, "tokenizer.model"))
		return 0;
	const int found = phi_vocabulary_from_keys(&m->model->metadata, m->hparams.vocab, pre, m->model->arena,
		&m->vocabulary, err);
	if (found > 0)
		return phi_model_warn(m->model, err, "there are no tokens in it: the tokenizer's files are left out");
	if (found < 0 || phi_tokenizer_expressible(v, err) < 0)
		return phi_context(err, "tokenizer");
	m->tokenizer = true;
	m->form = (struct phi_tokenizer_form){ .strips = strcmp(m->model->family->name, "phi2") != 0,
		.context = m->hparams.context };
	if (add_side(m, "tokenizer.json", &text, phi_tokenizer_write_json(v, &m->form, &text, err), err) < 0 ||
		add_side(m, "tokenizer_config.json", &text,
			phi_tokenizer_write_config(v, &m->form, &text, err), err) < 0)
		return -1;
	return phi_tokenizer_byte_level(v) ? 0
		: add_side(m, "tokenizer.model", &text, phi_tokenizer_write_pieces(v, &text, err), err);
}

static int
make_generation(struct making *m, struct phi_err *err)
{
	struct phi_buffer text = { 0 };
	if (!m->tokenizer || phi_model_side(m->model, "generation_config.json"))
		return 0;
	return add_side(m, "generation_config.json", &text,
		phi_tokenizer_write_generation(&m->vocabulary, &m->model->metadata, &text, err), err);
}

static int
warn(struct making *m, struct phi_err *err)
{
	struct phi_arena *const arena = m->model->arena;
	const char *const config = m->config
		? phi_config_made_up(m->model->family, &m->hparams, arena, err) : "";
	if (!config)
		return -1;
	if (!m->config && !m->tokenizer)
		return 0;
	return phi_model_warn(m->model, err, "a GGUF does not say all that a checkpoint does; as in %s models are set: %s%s%s",
		m->model->family->name, config, m->config && m->tokenizer ? "; " : "",
		m->tokenizer ? "white space after special tokens, the ends of answers (generation_config.json)" : "");
}

/* From here on it is the description of a folder. */
static int
describe(struct making *m, const struct phi_metadata *keys, struct phi_err *err)
{
	struct phi_model *const model = m->model;
	const struct phi_side *const config = phi_model_side(model, "config.json");
	struct phi_hparams h;
	model->metadata = (struct phi_metadata){ 0 };
	if (phi_config_describe(model, config->data, config->size, err) < 0)
		return phi_context(err, "config.json");
	model->view = "canonical";
	model->recipe = NULL; /* it was the GGUF's */
	const struct phi_type *const said = phi_config_dtype(&model->metadata);
	for (size_t i = 0; i < model->ntensors; i++) {
		struct phi_tensor *const t = &model->tensors[i];
		if (t->type->class == PHI_CLASS_FLOAT || t->type->class == PHI_CLASS_BLOCK)
			t->native = said ? said : m->dtype;
	}
	const struct phi_family *const family = model->family;
	if (phi_kept_take_types(model, keys, err) < 0 || phi_family_assign(model, err) < 0)
		return -1;
	if (model->family != family)
		return phi_fail(err, PHI_FORMAT, "config.json is not of a %s model", family->name);
	return phi_family_hparams(model, &h, err) < 0 || phi_family_check(model, &h, err) < 0 ? -1
		: phi_model_find_aliases(model, err);
}

int
phi_source_canonical(struct phi_source *source, const char *pre, const struct phi_spool_options *spool,
	struct phi_err *err)
{
	struct making m = { .source = source, .model = source->model };
	if (strcmp(m.model->view, "gguf") != 0 || phi_kept_take_sides(m.model, err) < 0)
		return strcmp(m.model->view, "gguf") ? 0 : -1;
	if (!m.model->family)
		return 0;
	if (phi_source_settle(source, spool, err) < 0 || read_hparams(&m, err) < 0)
		return -1;
	m.dtype = guess_dtype(m.model);
	if (make_config(&m, err) < 0 || make_tokenizer(&m, pre, err) < 0 || make_generation(&m, err) < 0 ||
		warn(&m, err) < 0 || phi_family_cut(m.model, &m.hparams, err) < 0)
		return -1;
	const struct phi_metadata keys = m.model->metadata;
	return describe(&m, &keys, err);
}
