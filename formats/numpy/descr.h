/* How NumPy spells types in files, and ours. */
#ifndef PHI_NUMPY_DESCR_H
#define PHI_NUMPY_DESCR_H

#include "formats/core/type.h"

struct phi_descr {
	const struct phi_type *type; /* NULL: none of ours */
	bool swap; /* big-endian */
	bool guessed; /* |V2: two bytes of no type; the arrays saved so are bfloat16 */
	const char *what; /* without a type: what the elements are, for people */
};

/* '<f4', '>i8', '|b1', also without the order or as a name ('float32', 'd'). ml_dtypes has types of
 * which NumPy only knows the size: its '<V2' is BF16 and its '<f1' F8_E5M2, since no other type is
 * spelled so; '<V1' may be any of eleven and is none of ours (measured with ml_dtypes 0.5.4). */
struct phi_descr phi_descr_of(const char *descr, size_t size);

/* The spelling NumPy writes, or NULL: it has no such type. */
const char *phi_descr_name(const struct phi_type *type);
/* The nearest type that it has and phi-quant makes, or NULL. */
const char *phi_descr_nearest(const struct phi_type *type);

#endif
