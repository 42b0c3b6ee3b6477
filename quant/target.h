/* --target-size: the type of each tensor by what it would cost, under a budget.
 *
 * First the survey (formats/core/survey.h): some rows of each tensor in each candidate type, with the importance if
 * there is one. The error of a tensor is its noise relative to its signal, times its number of weights: so every
 * weight counts alike, whatever the scale of its tensor. Then the choice (budget.h), which is pure. */
#ifndef PHI_QUANT_TARGET_H
#define PHI_QUANT_TARGET_H

#include "formats/core/source.h"
#include "quant/budget.h"
#include "quant/quant.h"

struct phi_target;

struct phi_target_options {
	size_t size;
	const struct phi_recipe_options *recipe; /* rules and importance; what they settle is not ours */
	const struct phi_converters *converters;
	unsigned alignment; /* bytes; a tensor takes a multiple of it in the file */
	unsigned jobs;
	void (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *progress_ctx;
};

/* Surveys; the source is random. Leaves `lowered` with the smallest candidates for types. What is found refers to
 * nothing of it afterwards. */
struct phi_target *phi_target_survey(struct phi_source *source, struct phi_model *lowered,
	const struct phi_target_options *options, struct phi_err *err);
void phi_target_free(struct phi_target *target);

/* Bytes and weights of the surveyed tensors as the survey leaves them. */
uint64_t phi_target_smallest(const struct phi_target *target);
uint64_t phi_target_weights(const struct phi_target *target);

/* Chooses within so many bytes of surveyed tensors. */
int phi_target_choose(struct phi_target *target, uint64_t bytes, struct phi_err *err);
/* What was chosen: a rule for each surveyed tensor, by its exact name. Lent. */
const struct phi_rule *phi_target_rules(const struct phi_target *target, size_t *n);
/* The recipe to call it by: the one whose base most of the chosen bytes have. */
const char *phi_target_recipe(const struct phi_target *target);

/* The curve of noise against size: points from the smallest types to the largest, the chosen one among them. Returns
 * their number. */
enum { PHI_TARGET_POINTS = 20 };
struct phi_target_point {
	uint64_t bytes; /* of the surveyed tensors */
	double noise; /* to signal, of the average weight */
	bool chosen;
};
size_t phi_target_curve(const struct phi_target *target, struct phi_target_point points[PHI_TARGET_POINTS]);

#endif
