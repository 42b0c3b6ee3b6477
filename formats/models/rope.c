/* The rotary embedding as config.json describes it, in two generations. transformers 4 wrote rope_theta,
 * partial_rotary_factor, rope_scaling {type, long_factor, short_factor}; transformers 5 writes all of them
 * into rope_parameters. Facts: facts/gguf.md 6.5, facts/pytorch_tf.md 2.2. */
#include "formats/core/escape.h"
#include "formats/models/hparam.h"
#include "formats/models/rules.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Everything about the rotary embedding but its type, as config.json has it under `group`. */
static int
read_rotary(const struct phi_metadata *m, const char *group, const struct phi_config_rules *rules,
	struct phi_hparams *h, struct phi_err *err)
{
	char key[64];
	double theta = rules->theta, partial = rules->partial;
	if (phi_hparam_real(m, "rope_theta", &theta, &theta, err) < 0 ||
		phi_hparam_real(m, "partial_rotary_factor", &partial, &partial, err) < 0)
		return -1;
	snprintf(key, sizeof key, "%srope_theta", group);
	if (phi_hparam_real(m, key, &theta, &h->rope_theta, err) < 0)
		return -1;
	snprintf(key, sizeof key, "%spartial_rotary_factor", group);
	if (phi_hparam_real(m, key, &partial, &h->partial_rotary, err) < 0)
		return -1;
	if (h->partial_rotary > 1)
		return phi_fail(err, PHI_FORMAT, "%s is above 1", key);
	/* The product is truncated before the division, as transformers and the converter do. */
	h->rotary = (uint32_t)(h->partial_rotary * h->hidden) / h->heads;
	return 0;
}

static bool
listed(const char *const *list, const char *name)
{
	for (; list && *list; list++)
		if (!strcmp(*list, name))
			return true;
	return false;
}

static int
read_type(const struct phi_metadata *m, const char *group, const struct phi_config_rules *rules,
	struct phi_hparams *h, struct phi_err *err)
{
	char key[64];
	snprintf(key, sizeof key, "%srope_type", group);
	const struct phi_value *v = phi_hparam_find(m, key);
	if (!v) {
		snprintf(key, sizeof key, "%stype", group);
		v = phi_hparam_find(m, key);
	}
	if (!v)
		return 0;
	const char *const type = phi_value_string(v);
	struct phi_quoted q;
	if (!type)
		return phi_fail(err, PHI_FORMAT, "%s is no name", key);
	if (listed(rules->longropes, type))
		h->rope = PHI_ROPE_LONGROPE;
	else if (strcmp(type, "default") != 0)
		return phi_fail(err, PHI_UNSUPPORTED, "%s \"%s\" is not known for this model", key,
			phi_quote(&q, type));
	return 0;
}

/* The two lists of divisors and the length they are measured from. */
static int
read_factors(const struct phi_model *model, const char *group, const struct phi_config_rules *rules,
	struct phi_hparams *h, struct phi_err *err)
{
	const struct phi_metadata *const m = &model->metadata;
	char longer[64], shorter[64], original[80];
	snprintf(longer, sizeof longer, "%slong_factor", group);
	snprintf(shorter, sizeof shorter, "%sshort_factor", group);
	snprintf(original, sizeof original, "%soriginal_max_position_embeddings", group);
	const uint32_t usual = rules->original ? rules->original : h->context;
	if (phi_hparam_tokens(m, "original_max_position_embeddings", &usual, &h->original_context,
		    err) < 0)
		return -1;
	if (h->rope == PHI_ROPE_PLAIN && phi_hparam_find(m, longer))
		return phi_fail(err, PHI_FORMAT, "%s without the rope type longrope", longer);
	/* With longrope transformers puts the outer key first where the class has one, and looks at no
	 * outer key where it has none. */
	const uint32_t outer = h->rope == PHI_ROPE_PLAIN ? h->original_context : h->context;
	if ((h->rope == PHI_ROPE_PLAIN || !rules->original) &&
		phi_hparam_tokens(m, original, &outer, &h->original_context, err) < 0)
		return -1;
	if (h->rope == PHI_ROPE_PLAIN)
		return 0;
	if (phi_hparam_reals(m, longer, model->arena, &h->long_factor, &h->nlong, err) < 0 ||
		phi_hparam_reals(m, shorter, model->arena, &h->short_factor, &h->nshort, err) < 0)
		return -1;
	if (!h->nlong || !h->nshort)
		return phi_fail(err, PHI_FORMAT, "%s is missing", h->nlong ? shorter : longer);
	if (h->nlong != h->rotary / 2 || h->nshort != h->rotary / 2)
		return phi_fail(err, PHI_FORMAT,
			"%s has %zu numbers, but half the rotary dimensions are %" PRIu32,
			h->nlong != h->rotary / 2 ? longer : shorter,
			h->nlong != h->rotary / 2 ? h->nlong : h->nshort, h->rotary / 2);
	if (h->original_context < 2)
		return phi_fail(err, PHI_FORMAT, "original_max_position_embeddings is %" PRIu32,
			h->original_context);
	return 0;
}

/* What the two lengths make of a key is what it must say, where it says anything: no converter reads it. */
static int
agree(const struct phi_metadata *m, const char *group, const char *name, double expected, struct phi_err *err)
{
	char key[64];
	double said;
	snprintf(key, sizeof key, "%s%s", group, name);
	if (phi_hparam_real(m, key, &expected, &said, err) < 0)
		return -1;
	return fabs(said - expected) <= 1e-5 * expected ? 0
		: phi_fail(err, PHI_UNSUPPORTED, "%s is %g, but the context lengths make it %g", key, said, expected);
}

int
phi_rope_read(const struct phi_model *model, const struct phi_config_rules *rules,
	struct phi_hparams *h, struct phi_err *err)
{
	const struct phi_metadata *const m = &model->metadata;
	if (phi_hparam_group(m, "rope_parameters.full_attention.") ||
		phi_hparam_group(m, "rope_parameters.sliding_attention."))
		return phi_fail(err, PHI_UNSUPPORTED,
			"rope_parameters differ by kind of layer, which this model has not");
	const char *const group =
		phi_hparam_group(m, "rope_scaling.") ? "rope_scaling." : "rope_parameters.";
	if (read_rotary(m, group, rules, h, err) < 0 || phi_hparams_derive(h, err) < 0 ||
		read_type(m, group, rules, h, err) < 0 || read_factors(model, group, rules, h, err) < 0)
		return -1;
	/* In doubles, rounded once by whoever stores it: 131072 / 4096 gives 1.1902380714238083. */
	const double scale = (double)h->context / h->original_context;
	h->attention_factor = h->rope == PHI_ROPE_LONGROPE && scale > 1
		? sqrt(1 + log(scale) / log(h->original_context)) : 1;
	h->long_scale = h->short_scale = h->attention_factor;
	if (h->rope == PHI_ROPE_PLAIN)
		return 0;
	return agree(m, group, "factor", scale, err) < 0 ||
			agree(m, group, "attention_factor", h->attention_factor, err) < 0
		? -1 : 0;
}
