/* Numbers stored as integers of one scale, as ONNX Runtime's quantization tools make them: of a whole tensor, or of each
 * index of one axis. A number x is about (code - zero) * scale. What the scale is, the data say, all of them: so a
 * lowered model says which of its tensors are scaled and by which rule (phi_tensor.scaling), a pass over the data
 * finds their least and greatest numbers (survey_range.h), and from those the scales follow.
 *
 * The arithmetic is that of onnxruntime/quantization/quant_utils.py (1.32: compute_scale_zp, quantize_nparray), bit
 * for bit, which is NumPy's: the range in F32 and widened to hold 0, its difference and the quotient in F64, the scale
 * rounded to F32; a code is the quotient in F32 rounded to even, plus the zero, clipped to what the type holds. */
#ifndef PHI_CORE_SCALING_H
#define PHI_CORE_SCALING_H

#include "formats/core/arena.h"
#include "formats/core/type.h"

enum { PHI_SCALES_MAX = 1 << 20 }; /* of one tensor; an embedding has 200,064 rows */

enum phi_scaling_rule {
	PHI_SCALING_SYMMETRIC, /* zero is the middle code; the extremes are those of the larger side */
	PHI_SCALING_AFFINE,    /* least to greatest are the codes there are */
	PHI_SCALING_BIAS,      /* of I32: the scale is that of the weight times the input's; zero is 0 */
};

struct phi_scaling {
	const struct phi_type *type; /* I8, U8, I16, U16; I32 of a bias */
	enum phi_scaling_rule rule;
	bool reduced; /* one bit less than there are: processors without VNNI add up pairs of products in 16 bits */
	float width;  /* of a range, at least; 0: any */
	int axis; /* whose indices have a scale each; -1: there is one for all */
	/* Element i of the tensor has scale number i / inner % count. */
	uint64_t inner, count;
	/* count of each, in the arena: the range of the data, then what follows. */
	float *low, *high, *scale;
	int32_t *zero;
	bool known; /* scale and zero are set; until then they are 1 and 0 */
	/* Of a bias: its weight's (of as many scales, or of one), and the scale of what the weight is multiplied with. */
	struct phi_scaling *weight;
	float input;
};

/* Of a tensor of that shape, in the arena; axis -1: one scale for all. */
struct phi_scaling *phi_scaling_new(struct phi_arena *arena, const struct phi_type *type, enum phi_scaling_rule rule,
	const uint64_t *shape, unsigned rank, int axis, struct phi_err *err);

/* The least and the greatest code that a range is spread over. */
void phi_scaling_codes(const struct phi_scaling *scaling, int32_t *least, int32_t *greatest);

/* The scale and zero of one range; `low` and `high` are finite. Pure. */
void phi_scaling_of(const struct phi_scaling *scaling, float low, float high, float *scale, int32_t *zero);

/* Sets scale and zero from the ranges; of a bias from its weight's, which is known already if it is scaled. A bias that would not fit
 * into 32 bits makes its weight's scale larger before (phi_scaling_yield). */
void phi_scaling_settle(struct phi_scaling *scaling);
/* Of a bias, before phi_scaling_settle of any: makes its weight's scale large enough. */
void phi_scaling_yield(const struct phi_scaling *bias);

#endif
