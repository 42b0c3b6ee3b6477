/* Conversion of numbers, as the pump sees it. The converter table (quant/) reaches the pump as an
 * argument: core and formats do not know quant. */
#ifndef PHI_CORE_CONVERT_H
#define PHI_CORE_CONVERT_H

#include "formats/core/error.h"
#include "formats/core/packed.h"
#include "formats/core/scaling.h"
#include "formats/core/type.h"

/* What to do with NaN, and with a finite value that becomes infinite, when a conversion narrows. */
enum phi_overflow {
	PHI_OVERFLOW_FAIL,  /* stop, naming tensor and index */
	PHI_OVERFLOW_CLAMP, /* the largest finite value; NaN becomes 0 */
	PHI_OVERFLOW_KEEP,  /* what the reference's cast gives */
};

/* What a type makes of importance: how much each column of a matrix matters to the model (an imatrix). */
enum phi_importance {
	PHI_IMPORTANCE_NONE,   /* nothing: there is no choice to make */
	PHI_IMPORTANCE_TAKEN,  /* made with it or without */
	PHI_IMPORTANCE_NEEDED, /* not made without it */
};

/* A conversion from one type to another: pure, re-entrant. The struct is a value; copy it freely. */
struct phi_convert {
	const struct phi_type *from, *to;
	/* Converts n elements, a multiple of both blocks and of nothing else; src and dst are dense,
	 * need no alignment and do not overlap. `row` is the length of a row in elements (n may be
	 * several rows, or a part of one at a multiple of both blocks). `importance` is NULL or has
	 * `row` numbers, finite and none below 0: n is whole rows then. Returns 0, or -1 with the first
	 * offending element in *bad (then dst is undefined). */
	int (*run)(const struct phi_convert *convert, const void *src, void *dst, uint64_t n,
		uint64_t row, const float *importance, enum phi_overflow policy, uint64_t *bad);
	const void *decoder, *encoder; /* the table's own: how each half is done */
	const void *searcher;	       /* the table's own: how what was made is made better, or NULL */
	enum phi_importance importance;
	bool nonzero;	   /* to F16: a number that is not 0 becomes the least one, not 0 */
	bool lossless;	   /* run() fails where a decoded value would not stay the same */
	const char *fault; /* what is wrong with the block of *bad, before the name of `to`; NULL: overflow */
};

/* The table. find() fills *out; it fails with PHI_UNSUPPORTED and a reason if there is no way. */
struct phi_converters {
	int (*find)(const struct phi_type *from, const struct phi_type *to, struct phi_convert *out,
		struct phi_err *err);
	/* Decodes packed tensors; NULL: they cannot be read. */
	phi_unpack_fn *unpack;
	/* Makes the codes of n numbers, the first of which is number `first` of a tensor that is scaled so; the scales
	 * are known. Pure. NULL: nothing is scaled. */
	void (*scale)(const struct phi_scaling *scaling, const float *src, void *dst, uint64_t first, uint64_t n);
};

#endif
