/* The converter table at a level of one's own choosing; for tests. */
#ifndef PHI_QUANT_CONVERT_H
#define PHI_QUANT_CONVERT_H

#include "formats/core/convert.h"
#include "quant/codec.h"

/* As phi_quant_converters.find, at `level`. */
int phi_convert_find(const struct phi_level *level, const struct phi_type *from,
	const struct phi_type *to, struct phi_convert *out, struct phi_err *err);

/* Makes a conversion found one of phi_quant_as_llama. */
void phi_convert_as_llama(struct phi_convert *convert);

#endif
