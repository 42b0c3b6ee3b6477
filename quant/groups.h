/* Any number of blocks through kernels that take whole groups of them (codec.h): what is left over after the
 * last whole group goes through copies filled up with zeros. */
#ifndef PHI_QUANT_GROUPS_H
#define PHI_QUANT_GROUPS_H

#include "quant/codec.h"

/* What is encoded: n elements, whole blocks. */
struct phi_weights {
	const float *x;
	const float *importance; /* of each element, or NULL */
	const float *squares;	 /* with importance: of each block, where the codec has encode_by_row */
	uint64_t n;
};

/* n is a multiple of the type's block. */
void phi_groups_decode(const struct phi_codec *codec, const struct phi_type *type, const uint8_t *src,
	float *dst, uint64_t n);
/* Returns what encode does. */
uint32_t phi_groups_encode(const struct phi_codec *codec, const struct phi_type *type,
	const struct phi_weights *in, uint8_t *dst);

#endif
