#include "formats/gguf/ftype.h"

#include <stddef.h>
#include <strings.h>

/* llama.h of llama.cpp 0c1e57098, and the names of llama-quantize. The usual name of a number comes
 * first. 4 to 6 and 33 to 35 were removed; 39 (NVFP4) cannot be chosen there. */
static const struct phi_gguf_ftype ftypes[] = {
	{ "f32", 0 },
	{ "f16", 1 },
	{ "q4_0", 2 },
	{ "q4_1", 3 },
	{ "q8_0", 7 },
	{ "q5_0", 8 },
	{ "q5_1", 9 },
	{ "q2_k", 10 },
	{ "q3_k_s", 11 },
	{ "q3_k_m", 12 },
	{ "q3_k", 12 },
	{ "q3_k_l", 13 },
	{ "q4_k_s", 14 },
	{ "q4_k_m", 15 },
	{ "q4_k", 15 },
	{ "q5_k_s", 16 },
	{ "q5_k_m", 17 },
	{ "q5_k", 17 },
	{ "q6_k", 18 },
	{ "iq2_xxs", 19 },
	{ "iq2_xs", 20 },
	{ "q2_k_s", 21 },
	{ "iq3_xs", 22 },
	{ "iq3_xxs", 23 },
	{ "iq1_s", 24 },
	{ "iq4_nl", 25 },
	{ "iq3_s", 26 },
	{ "iq3_m", 27 },
	{ "iq2_s", 28 },
	{ "iq2_m", 29 },
	{ "iq4_xs", 30 },
	{ "iq1_m", 31 },
	{ "bf16", 32 },
	{ "tq1_0", 36 },
	{ "tq2_0", 37 },
	{ "mxfp4_moe", 38 },
	{ "mxfp4", 38 },
	{ "nvfp4", 39 },
	{ "q1_0", 40 },
	{ "q2_0", 41 },
	{ "copy", PHI_GGUF_FTYPE_COPY },
};
enum { FTYPES = sizeof ftypes / sizeof *ftypes };

const struct phi_gguf_ftype *
phi_gguf_ftype_named(const char *recipe)
{
	for (size_t i = 0; i < FTYPES; i++)
		if (!strcasecmp(ftypes[i].name, recipe))
			return &ftypes[i];
	return NULL;
}

const struct phi_gguf_ftype *
phi_gguf_ftype_numbered(uint32_t id)
{
	for (size_t i = 0; i < FTYPES; i++)
		if (ftypes[i].id == id && id != PHI_GGUF_FTYPE_COPY)
			return &ftypes[i];
	return NULL;
}
