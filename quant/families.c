/* The families of one level; compiled once a level, as they are. */
#include "quant/codec.h"

#define CODEC(family) extern const struct phi_codec PHI_CODECS(family)[];
#include "quant/codecs.def"
#undef CODEC

const struct phi_codec *const PHI_FAMILIES[] = {
#define CODEC(family) PHI_CODECS(family),
#include "quant/codecs.def"
#undef CODEC
	NULL,
};
