/* Packed tensors: one logical weight whose numbers lie in several tensors of the file: codes of a few
 * bits, scales, zero points, tables. What the checkpoint calls X.qweight, X.scales, X.qzeros is one
 * tensor X.weight here, of its true shape, with a type of class PHI_CLASS_PACKED that has one printed
 * spelling ("INT4 G128 F16 ZP GPTQ"), and one plane for each of the members.
 *
 * A packed tensor is a stack of matrices of equal size, row after row. With r the row, c the column of
 * an element and T the meaning of a code, its value in F32, in this order of operations, is
 *
 *     (T[code(r,c)] - zero(r,g)) * scale(r,g) * factor + bias(r,g)
 *
 * where g is the column's group: the block of columns that share a number, or the one index(c) names.
 * Planes that are not there do not take part. How the scale itself is made: see the roles.
 *
 * Every plane is a grid of cells. A cell is one number, or a word in which several codes lie; the cells
 * stand in lines, which run along the columns (the grid's rows are the lines) or, transposed, along the
 * rows. All five ways of the known formats are this with other parameters:
 *
 *                     codes                                     scales
 *     GPTQ            I32 along columns, transposed             block 1 x g, transposed
 *     AWQ             I32 along rows, transposed, own order     block 1 x g, transposed
 *     pack-quantized  I32 along columns                         block 1 x g
 *     FP8 by blocks   a cell each                               block 128 x 128
 *     bitsandbytes    U8 along columns of a matrix 16384 wide   block 1 x 64
 *     gpt-oss         U8 along rows, transposed                 block 32 x 1, transposed
 *
 * The format's knowledge (which members make which tensor) is formats/packed/, the arithmetic is
 * quant/unpack.c; here is what both speak of, and the reading. */
#ifndef PHI_CORE_PACKED_H
#define PHI_CORE_PACKED_H

#include "formats/core/error.h"
#include "formats/core/limits.h"
#include "formats/core/type.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	PHI_PACKED_COLUMNS_MAX = 1 << 24, /* of a packed matrix: a row is decoded at a time */
	PHI_PACKED_GROUPS_MAX = 1 << 24,  /* numbers of a plane that is read whole */
};

enum phi_packed_role {
	PHI_PACKED_CODES, /* always plane 0 */
	PHI_PACKED_SCALE,
	PHI_PACKED_ZERO, /* codes, or numbers */
	PHI_PACKED_BIAS,
	PHI_PACKED_INDEX,  /* I32: the group of each column */
	PHI_PACKED_TABLE,  /* F32: what each code means */
	PHI_PACKED_GLOBAL, /* scale = scale * global, or scale / global */
	/* A scale that is a code itself: scale = table[scale] * nested + nested_offset. */
	PHI_PACKED_SCALE_TABLE, /* F32[256] */
	PHI_PACKED_SCALE_NESTED,
};

/* What a code means. */
enum phi_packed_meaning {
	PHI_CODE_UNSIGNED,
	PHI_CODE_SIGNED, /* two's complement */
	PHI_CODE_OFFSET, /* less half the range: 4 bits 8 is 0 */
	PHI_CODE_F4,	 /* s ee m */
	PHI_CODE_F8_E4M3,
	PHI_CODE_F8_E5M2,
	PHI_CODE_TABLE, /* the plane PHI_PACKED_TABLE */
	PHI_CODE_NF4, PHI_CODE_FP4, /* bitsandbytes' tables */
};

struct phi_packed_plane {
	enum phi_packed_role role;
	const struct phi_type *type; /* of a cell; plain, 1 to 4 bytes */
	/* 0: a cell is a number; else codes of so many bits lie in it, from the lowest bits up. */
	unsigned bits;
	bool along_rows;      /* the codes of a word follow each other along the rows, else the columns */
	bool straddle;	      /* one stream of bits from word to word; else only whole codes in a word */
	const uint8_t *order; /* the place in its word of each code; or NULL: in order */
	bool transposed;      /* lines of cells run along the rows */
	uint64_t padded;      /* codes in a line with those that only fill it; 0: there are none such */
	bool whole;	      /* not by row and column: tables, indices, one number for all */
	uint64_t block[2];    /* rows and columns that one code or number stands for */
	uint64_t cells[2];    /* of a matrix: in the direction of the rows, and of the columns */
	uint64_t bytes;	      /* of all matrices; of a flat packing what there is of the last row */
};

struct phi_packed {
	uint64_t matrices, rows, columns;
	/* In all; less than the product where the last row is not full (flat packings). */
	uint64_t elements;
	enum phi_packed_meaning meaning;
	bool divide;	/* by the global scale */
	unsigned zero_bias; /* added to a code of a zero point, modulo its range (GPTQ v1: 1) */
	float factor;	    /* 1 mostly */
	float nested_offset;
	bool wide; /* the library that packed it has it as F32 when decoded: lowering makes it that */
	unsigned nplanes;
	struct phi_packed_plane plane[PHI_PLANES_MAX];
};

/* Rows [row, row + rows) of a matrix with the cells they need. */
struct phi_packed_tile {
	const struct phi_packed *packed;
	uint64_t row, rows;
	/* Of each plane: cell (a, b) is at cells + (a - first) * stride[0] + b * stride[1]; of one that is
	 * read whole, cell b at b * stride[1]. */
	struct phi_packed_cells {
		const uint8_t *cells;
		uint64_t first;
		size_t stride[2];
	} plane[PHI_PLANES_MAX];
};

/* Decodes a tile to rows * columns floats. Fails for an index beyond the groups, and for memory. */
typedef int phi_unpack_fn(const struct phi_packed_tile *tile, float *dst, struct phi_err *err);

/* What a format that has a graph says of itself (phi_model.packings): these tensors are one weight, since an
 * operator takes them so. Names are those of the model's tensors, scales and zeros may be NULL; strings are lent. */
struct phi_packing {
	const char *name; /* of the weight to be; that of the codes if it is taken */
	const char *codes, *scales, *zeros;
	unsigned rank;
	uint64_t shape[PHI_RANK_MAX];
	uint64_t matrices, rows, columns;
	uint64_t group[2]; /* rows and columns that share a scale */
	unsigned bits;	   /* of a code */
	uint64_t padded;   /* as of the plane of codes */
	bool by_rows;	   /* a product is made with its rows */
	bool high_first;   /* the first code of a byte is in its upper half */
	enum phi_packed_meaning meaning;
	const char *code, *tag; /* as they are spelt, or NULL */
};

/* Codes in a word of the plane. */
static inline unsigned
phi_packed_per_word(const struct phi_packed_plane *p)
{
	return p->bits ? p->type->bytes * 8 / p->bits : 1;
}

/* Cells that n codes in a row take. */
uint64_t phi_packed_words(const struct phi_packed_plane *p, uint64_t n);
/* The plane with this role, or -1. */
int phi_packed_find(const struct phi_packed *packed, enum phi_packed_role role);
/* Fills in cells[] and bytes of each plane from its block, bits and direction (cells[] of one that is
 * read whole are given), and checks the limits: -1 with a reason why there is no such matrix. */
int phi_packed_settle(struct phi_packed *packed, struct phi_err *err);

#endif
