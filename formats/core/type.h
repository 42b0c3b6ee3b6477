/* Number types: how numbers are stored, not what they mean. The list is types.def. A type is a
 * constant: compare pointers, never free. */
#ifndef PHI_CORE_TYPE_H
#define PHI_CORE_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum phi_type_id {
#define TYPE(id, elements, bytes, class, ggml) PHI_##id,
#include "formats/core/types.def"
#undef TYPE
	PHI_TYPES,
};

enum phi_type_class {
	PHI_CLASS_FLOAT,
	PHI_CLASS_INTEGER,
	PHI_CLASS_BOOLEAN,
	PHI_CLASS_COMPLEX, /* pairs of floats, real first */
	PHI_CLASS_BLOCK,   /* quantized: scales and codes packed together */
	PHI_CLASS_PACKED,  /* quantized: scales and codes in planes of their own (packed.h) */
};

/* The types of class PHI_CLASS_PACKED are not in the list: they have parameters, so each model makes
 * those it has, in its arena, one for each spelling; their id is PHI_TYPES. */
struct phi_type {
	enum phi_type_id id;
	const char *name;     /* the one printed spelling, in capitals */
	unsigned elements;    /* of a block; 1 for plain numbers */
	unsigned bytes;	      /* of a block */
	enum phi_type_class class;
	int ggml;	      /* ggml's id, or -1 */
};

/* id < PHI_TYPES. */
const struct phi_type *phi_type_of(enum phi_type_id id);
/* By spelling, in any case of letters; NULL if unknown. */
const struct phi_type *phi_type_named(const char *name);
/* By ggml's id; NULL if unknown or removed. */
const struct phi_type *phi_type_ggml(int64_t id);

/* The fields of a block whose format keeps them in planes of their own: one group of a row, its codes (a stream of
 * bits, the lowest first), then its scale, then its bias or its zero point, nothing between them. A plane has the fields
 * of all blocks one after the other; but zero points, a byte each in a block, have no more bits than a code in their
 * plane: a stream of bits, the lowest first, each row of it filled up to whole bytes with the middle code. */
struct phi_type_fields {
	unsigned bits;		   /* of a code, and of a zero point in its plane */
	/* Bytes of a block; 0: there is none. ONNX's zero point that is a number, not a code, is its bias. */
	unsigned codes, scale, bias, zero;
	enum phi_type_id scales;   /* what scale and bias are: F32, F16, BF16; F8_E8M0, F8_E4M3 */
	enum phi_type_id floats;   /* what the weights were before: the scales' type, where that is wide enough */
	const char *format;	   /* which keeps them so: "mlx", "onnx" */
};
/* False if the type's blocks are never torn. The types that are: MLX's, ONNX's. */
bool phi_type_fields(const struct phi_type *type, struct phi_type_fields *fields);
/* MLX's affine type of so many bits a code and elements a group, scales of F32, F16 or BF16; NULL: there is none. */
const struct phi_type *phi_type_mlx(unsigned bits, unsigned group, enum phi_type_id scales);
/* ONNX's type of so many bits a code and elements a block, scales of F32 or F16; NULL: there is none. */
enum phi_onnx_zeros {
	PHI_ONNX_MIDDLE, /* the middle code is zero */
	PHI_ONNX_ZEROS,	 /* a code of its own is */
	PHI_ONNX_FLOATS, /* a number, of the scale's type, is taken from all codes */
};
const struct phi_type *phi_type_onnx(unsigned bits, unsigned block, enum phi_type_id scales, enum phi_onnx_zeros zeros);
/* Which of these a type of ONNX's has. */
enum phi_onnx_zeros phi_onnx_zeros_of(const struct phi_type_fields *fields);

/* Do both store numbers in the same way? Pointers tell for all but packed types of two models. */
bool phi_type_same(const struct phi_type *a, const struct phi_type *b);
/* What a tensor of this type is when it is read: F32 for packed types, itself for all others. */
const struct phi_type *phi_type_read(const struct phi_type *type);

/* Bytes of n elements, n a multiple of the block. False if n is not, or the size does not fit. */
bool phi_type_size(const struct phi_type *type, uint64_t n, uint64_t *bytes);

#endif
