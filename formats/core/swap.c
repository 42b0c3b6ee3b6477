/* A plain number is swapped whole, a complex one by halves. In a block only the fields below are wider
 * than a byte: the block of ggml's struct as a big-endian machine has it in memory, and so in its files.
 * A field that is declared as bytes but read with memcpy into an integer (qh of Q5_0, the scales and
 * signs of IQ2_XXS and IQ3_XXS, the scales of IQ1_M) is swapped as that integer. Codes in nibbles or
 * bits of bytes stay. Offsets: ggml-common.h of llama.cpp 0c1e57098 (facts/gguf.md 1.3 and 2). */
#include "formats/core/swap.h"

#include "formats/core/bytes.h"

struct field {
	enum phi_type_id type;
	unsigned offset, width, count; /* bytes, bytes of a number, numbers */
};

static const struct field fields[] = {
	{ PHI_Q4_0, 0, 2, 1 },	    /* d */
	{ PHI_Q4_1, 0, 2, 2 },	    /* d, m */
	{ PHI_Q5_0, 0, 2, 1 },	    /* d */
	{ PHI_Q5_0, 2, 4, 1 },	    /* qh */
	{ PHI_Q5_1, 0, 2, 2 },	    /* d, m */
	{ PHI_Q5_1, 4, 4, 1 },	    /* qh */
	{ PHI_Q8_0, 0, 2, 1 },	    /* d */
	{ PHI_Q8_1, 0, 2, 2 },	    /* d, s */
	{ PHI_Q2_K, 80, 2, 2 },	    /* d, dmin */
	{ PHI_Q3_K, 108, 2, 1 },    /* d */
	{ PHI_Q4_K, 0, 2, 2 },	    /* d, dmin */
	{ PHI_Q5_K, 0, 2, 2 },	    /* d, dmin */
	{ PHI_Q6_K, 208, 2, 1 },    /* d */
	{ PHI_Q8_K, 0, 4, 1 },	    /* d */
	{ PHI_Q8_K, 260, 2, 16 },   /* bsums */
	{ PHI_IQ2_XXS, 0, 2, 1 },   /* d */
	{ PHI_IQ2_XXS, 2, 4, 16 },  /* qs: pairs of u32 */
	{ PHI_IQ2_XS, 0, 2, 33 },   /* d, qs */
	{ PHI_IQ3_XXS, 0, 2, 1 },   /* d */
	{ PHI_IQ3_XXS, 66, 4, 8 },  /* scales and signs */
	{ PHI_IQ1_S, 0, 2, 1 },	    /* d */
	{ PHI_IQ1_S, 34, 2, 8 },    /* qh */
	{ PHI_IQ4_NL, 0, 2, 1 },    /* d */
	{ PHI_IQ3_S, 0, 2, 1 },	    /* d */
	{ PHI_IQ2_S, 0, 2, 1 },	    /* d */
	{ PHI_IQ4_XS, 0, 2, 2 },    /* d, scales_h */
	{ PHI_IQ1_M, 48, 2, 4 },    /* scales, d spread over them */
	{ PHI_TQ1_0, 52, 2, 1 },    /* d */
	{ PHI_TQ2_0, 64, 2, 1 },    /* d */
	{ PHI_Q1_0, 0, 2, 1 },	    /* d */
	{ PHI_Q2_0, 0, 2, 1 },	    /* d */
};
enum { NFIELDS = sizeof fields / sizeof *fields };

static void
swap_blocks(const struct phi_type *type, uint8_t *p, uint64_t n)
{
	for (size_t i = 0; i < NFIELDS; i++) {
		const struct field *const f = &fields[i];
		if (f->type != type->id)
			continue;
		for (uint64_t at = 0; at < n; at += type->bytes)
			phi_swap_bytes(p + at + f->offset, (uint64_t)f->width * f->count, f->width);
	}
}

void
phi_type_swap(const struct phi_type *type, void *p, uint64_t n)
{
	if (type->class == PHI_CLASS_BLOCK)
		swap_blocks(type, p, n);
	else if (type->elements == 1)
		phi_swap_bytes(p, n,
			type->class == PHI_CLASS_COMPLEX ? type->bytes / 2 : type->bytes);
}

bool
phi_type_swaps(const struct phi_type *type)
{
	for (size_t i = 0; type->class == PHI_CLASS_BLOCK && i < NFIELDS; i++)
		if (fields[i].type == type->id)
			return true;
	return type->class != PHI_CLASS_BLOCK && type->elements == 1 && type->bytes > 1;
}
