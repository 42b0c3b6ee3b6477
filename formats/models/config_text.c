#include "formats/models/config_text.h"

#include "formats/core/json_write.h"
#include "formats/models/rules.h"

#include <math.h>
#include <string.h>

const struct phi_type *
phi_family_dtype(const struct phi_family *family)
{
	return phi_type_of(family->rules->dtype);
}

static const struct {
	const char *word;
	enum phi_type_id type;
} dtypes[] = { { "float32", PHI_F32 }, { "float16", PHI_F16 }, { "bfloat16", PHI_BF16 } };
enum { NDTYPES = sizeof dtypes / sizeof *dtypes };

static const char *
word_of(const struct phi_type *dtype)
{
	for (int i = 0; i < NDTYPES; i++)
		if (dtypes[i].type == dtype->id)
			return dtypes[i].word;
	return "float32";
}

const struct phi_type *
phi_config_dtype(const struct phi_metadata *metadata)
{
	static const char *const keys[] = { "torch_dtype", "dtype" };
	for (size_t k = 0; k < 2; k++) {
		const char *const word = phi_value_string(phi_metadata_find(metadata, keys[k]));
		for (int i = 0; word && i < NDTYPES; i++)
			if (!strcmp(word, dtypes[i].word))
				return phi_type_of(dtypes[i].type);
	}
	return NULL;
}

static void
write_token(struct phi_json_writer *w, const char *key, int64_t id)
{
	if (id < 0)
		phi_json_write_word(w, key, "null");
	else
		phi_json_write_count(w, key, (uint64_t)id);
}

static void
write_shape(struct phi_json_writer *w, const struct phi_config_rules *rules, const struct phi_hparams *h)
{
	phi_json_write_count(w, "vocab_size", h->vocab);
	phi_json_write_count(w, "hidden_size", h->hidden);
	phi_json_write_count(w, "intermediate_size", h->ffn);
	phi_json_write_count(w, "num_hidden_layers", h->layers);
	phi_json_write_count(w, "num_attention_heads", h->heads);
	phi_json_write_count(w, "num_key_value_heads", h->kv_heads);
	if (rules->experts) {
		phi_json_write_count(w, "num_local_experts", h->experts);
		phi_json_write_count(w, "num_experts_per_tok", h->experts_used);
		phi_json_write_flag(w, "attention_bias", h->attention_bias);
		phi_json_write_flag(w, "lm_head_bias", h->head_bias);
	}
	phi_json_write_text(w, "hidden_act", rules->activations[0]);
	phi_json_write_real(w, rules->epsilon_key, h->norm_epsilon, true);
	phi_json_write_flag(w, "tie_word_embeddings", h->tied);
}

static void
write_factors(struct phi_json_writer *w, const char *key, const double *factors, size_t n)
{
	phi_json_write_open(w, key, '[');
	for (size_t i = 0; i < n; i++)
		phi_json_write_real(w, NULL, factors[i], true);
	phi_json_write_close(w, ']');
}

/* Of the rotary dimensions a fraction of the head's: the product with the hidden size is truncated by its readers
 * (rope.c), so a quotient that was rounded down goes one step up. */
static double
fraction(const struct phi_hparams *h)
{
	const double p = (double)h->rotary / h->head_dim;
	return (uint32_t)(p * h->hidden) / h->heads == h->rotary ? p : nextafter(p, 2);
}

static void
write_rope(struct phi_json_writer *w, const struct phi_config_rules *rules, const struct phi_hparams *h)
{
	phi_json_write_count(w, "max_position_embeddings", h->context);
	if (rules->longropes)
		phi_json_write_count(w, "original_max_position_embeddings", h->original_context);
	phi_json_write_real(w, "rope_theta", h->rope_theta, true);
	if (h->rotary != h->head_dim || rules->partial != 1)
		phi_json_write_real(w, "partial_rotary_factor", fraction(h), false);
	if (h->rope != PHI_ROPE_LONGROPE) {
		phi_json_write_word(w, "rope_scaling", "null");
		return;
	}
	phi_json_write_open(w, "rope_scaling", '{');
	phi_json_write_text(w, "type", "longrope");
	write_factors(w, "long_factor", h->long_factor, h->nlong);
	write_factors(w, "short_factor", h->short_factor, h->nshort);
	if (rules->mscale > 0) {
		phi_json_write_real(w, "long_mscale", rules->mscale, false);
		phi_json_write_real(w, "short_mscale", rules->mscale, false);
		phi_json_write_count(w, "original_max_position_embeddings", h->original_context);
	}
	phi_json_write_close(w, '}');
}

/* The factor on cosine and sine is computed by whoever reads config.json (rope.c); a GGUF says it. */
static int
check_factor(const struct phi_hparams *h, struct phi_err *err)
{
	if (h->rope != PHI_ROPE_LONGROPE)
		return h->attention_factor == 1 ? 0 : phi_fail(err, PHI_UNSUPPORTED,
			"rope.scaling.attn_factor is %g without rope factors", h->attention_factor);
	if (h->original_context < 2)
		return phi_fail(err, PHI_FORMAT, "rope.scaling.original_context_length is missing or below 2");
	const double scale = (double)h->context / h->original_context;
	const double usual = scale > 1 ? sqrt(1 + log(scale) / log(h->original_context)) : 1;
	if (fabs(h->attention_factor - usual) <= 1e-6 * usual)
		return 0;
	return phi_fail(err, PHI_UNSUPPORTED,
		"rope.scaling.attn_factor is %.7g, where transformers computes %.7g from the context lengths",
		h->attention_factor, usual);
}

int
phi_config_text(const struct phi_family *family, const struct phi_hparams *h, const struct phi_type *dtype,
	struct phi_buffer *out, struct phi_err *err)
{
	const struct phi_config_rules *const rules = family->rules;
	struct phi_json_writer w;
	if (check_factor(h, err) < 0)
		return -1;
	phi_json_write_begin(&w, out, err);
	phi_json_write_open(&w, "architectures", '[');
	phi_json_write_text(&w, NULL, family->architectures[0]);
	phi_json_write_close(&w, ']');
	phi_json_write_text(&w, "model_type", family->model_type);
	write_shape(&w, rules, h);
	write_rope(&w, rules, h);
	if (h->has_sliding_window)
		phi_json_write_count(&w, "sliding_window", h->sliding_window);
	else if (rules->longropes)
		phi_json_write_word(&w, "sliding_window", "null");
	write_token(&w, "bos_token_id", h->bos);
	write_token(&w, "eos_token_id", h->eos);
	write_token(&w, "pad_token_id", h->pad);
	for (const char *const *p = rules->usual; *p; p += 2)
		phi_json_write_word(&w, p[0], p[1]);
	phi_json_write_text(&w, "torch_dtype", word_of(dtype));
	return phi_json_write_end(&w);
}

const char *
phi_config_made_up(const struct phi_family *family, const struct phi_hparams *h, struct phi_arena *arena,
	struct phi_err *err)
{
	const struct phi_config_rules *const rules = family->rules;
	const char *list = "";
	for (const char *const *p = rules->usual; list && *p; p += 2)
		list = phi_arena_printf(arena, err, "%s%s%s", list, *list ? ", " : "", p[0]);
	if (list && h->rope == PHI_ROPE_LONGROPE && rules->mscale > 0)
		list = phi_arena_printf(arena, err, "%s, short_mscale, long_mscale", list);
	return list;
}
