/* Packed checkpoints: which tensors of a file are the members of one packed weight, and how
 * (formats/core/packed.h says what is made of them). Recognised are, by config.json's
 * quantization_config where there is one and by the tensors' names, types and shapes:
 *
 *     gptq.c          GPTQ of 2, 3, 4 and 8 bits, v1 and v2, act-order; AWQ (gemm)
 *     bitsandbytes.c  nf4, fp4, nested or not; int8
 *     compressed.c    compressed-tensors, FP8 by tensor, channel and block, NVIDIA's NVFP4
 *     mxfp4.c         the experts of gpt-oss
 *     operator.c      what the operators of a graph take together (phi_model.packings)
 *
 * What is incomplete, contradicts itself or is packed in another way stays as it is stored, and one
 * warning says so. */
#ifndef PHI_PACKED_PACKED_H
#define PHI_PACKED_PACKED_H

#include "formats/core/source.h"

/* Puts one logical tensor in the place of the members of each packed weight of source->model. A few small
 * members are read, so a sequential source that holds packed weights is settled. Models without any are
 * not touched. */
int phi_packed_view(struct phi_source *source, const struct phi_spool_options *spool,
	struct phi_err *err);

/* --check: emits "packed.members" for each packed weight that phi_packed_view leaves as it is stored.
 * The model stays as it is: described with its members. A random source. */
int phi_packed_check(struct phi_source *source, const struct phi_findings *findings,
	struct phi_err *err);

/* What every lowering of a model with packed tensors has in common, after the target's own: where the
 * target had no say, they become F16 (BF16 where their scales are), and if all were understood,
 * quantization_config goes from the metadata and from config.json: the model is what it was before it
 * was packed, but for what the packing lost. */
int phi_packed_lower(struct phi_model *lowered, struct phi_err *err);

#endif
