/* Blocks taken apart: scales, minima and codes of any type whose codes stand for numbers one by one (all but the
 * grids of IQ1 to IQ3, and MLX_MXFP8), and back. What --search works on; no kernel: those know their bytes themselves.
 *
 *   weight i of group g = step(g) * value(code i) - low(g)
 *
 * by the type's shape (facts/gguf.md 2, the byte pictures in the types' files):
 *
 *   scales       step(g)                       lows          low(g)
 *   PHI_ONE      d                             PHI_NO_LOW    0
 *   PHI_WHOLE    d * scale[g]                  PHI_ADDED     -dmin
 *   PHI_TABLED   step(scale[g])                PHI_LOWERED   dmin * min[g]
 *                                              PHI_ZEROED    0, and the value of code i is i - min[0]
 *                                              PHI_SHIFTED   0, and it is i - dmin
 */
#ifndef PHI_QUANT_FIELDS_H
#define PHI_QUANT_FIELDS_H

#include "formats/core/type.h"

enum { PHI_FIELD_GROUPS = 16, PHI_FIELD_CODES = 256 };

struct phi_fields {
	uint32_t d, dmin; /* bits of numbers of the shape's kind */
	int16_t scale[PHI_FIELD_GROUPS], min[PHI_FIELD_GROUPS];
	uint8_t code[PHI_FIELD_CODES];
};

enum phi_scales { PHI_ONE, PHI_WHOLE, PHI_TABLED };
enum phi_heads { PHI_HALVES, PHI_BRAINS, PHI_FLOATS }; /* what d and dmin are: F16, BF16, F32 */
enum phi_lows { PHI_NO_LOW, PHI_ADDED, PHI_LOWERED, PHI_ZEROED, PHI_SHIFTED };

struct phi_shape {
	enum phi_type_id id;
	unsigned groups, group;	     /* so many groups of so many weights, a multiple of 16 */
	unsigned codes;		     /* 0 .. codes - 1 */
	float first;		     /* the value of code 0, the others follow one by one; or: */
	const float *values;	     /* `codes` of them, rising */
	const uint8_t *order;	     /* the code of values[i]; NULL: i */
	enum phi_scales scales;
	enum phi_heads heads;
	int least, most;	     /* of scale[g] */
	float (*step)(int scale);    /* PHI_TABLED: of 0 .. most, rising */
	enum phi_lows lows;
	int most_low;		     /* of min[g]; the least is 0 */
	unsigned bits;		     /* codes are a stream of so many bits each, scale and low or zero follow; or: */
	void (*unpack)(const uint8_t *block, struct phi_fields *fields);
	void (*pack)(const struct phi_fields *fields, uint8_t *block);
};

/* NULL if the type has none. */
const struct phi_shape *phi_shape_of(enum phi_type_id id);

void phi_fields_unpack(const struct phi_shape *shape, const uint8_t *block, struct phi_fields *fields);
void phi_fields_pack(const struct phi_shape *shape, const struct phi_fields *fields, uint8_t *block);

/* The number of the shape's kind nearest to x, as bits; and back. */
uint32_t phi_head_bits(const struct phi_shape *shape, float x);
float phi_head_value(const struct phi_shape *shape, uint32_t bits);

float phi_fields_step(const struct phi_shape *shape, const struct phi_fields *fields, unsigned group);
float phi_fields_low(const struct phi_shape *shape, const struct phi_fields *fields, unsigned group);
/* What is taken from all codes. */
float phi_fields_zero(const struct phi_shape *shape, const struct phi_fields *fields);
/* What the decoder gives, to the bit (but for the sign of a zero). */
void phi_fields_values(const struct phi_shape *shape, const struct phi_fields *fields, float *dst);

#endif
