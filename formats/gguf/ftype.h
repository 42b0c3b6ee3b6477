/* llama.cpp's file types: the number in general.file_type that names a recipe. Which tensors get
 * which type is the recipe's business (quant/); here is only the name. */
#ifndef PHI_GGUF_FTYPE_H
#define PHI_GGUF_FTYPE_H

#include <stdint.h>

enum { PHI_GGUF_FTYPE_COPY = 0xffffffff }; /* of the recipe copy: the source's; never in a file */

struct phi_gguf_ftype {
	const char *name; /* in lower case, as a recipe is spelled */
	uint32_t id;
};

/* By the name of a recipe, in any case of letters; a type's name where one recipe is pure in it
 * (q4_k: q4_k_m). NULL if llama-quantize has none of that name. */
const struct phi_gguf_ftype *phi_gguf_ftype_named(const char *recipe);
/* The usual name of a number; NULL if unknown. */
const struct phi_gguf_ftype *phi_gguf_ftype_numbered(uint32_t id);

#endif
