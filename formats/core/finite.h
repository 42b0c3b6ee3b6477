/* Are numbers finite? Weights that are NaN or infinite, and scales of blocks that are, make every result
 * they touch NaN; runtimes refuse them late or not at all. Looks at stored bits, decodes nothing. */
#ifndef PHI_CORE_FINITE_H
#define PHI_CORE_FINITE_H

#include "formats/core/source.h"

/* How many of the elements (of a block type: blocks by a scale of theirs) in n bytes of whole blocks are
 * not finite; *first is the index of the first, untouched if there is none. Little-endian. */
uint64_t phi_type_odd(const struct phi_type *type, const void *p, uint64_t n, uint64_t *first);

/* Reads every tensor and emits "weights.not-finite" for each that has any, as information only where there
 * is a graph, which has such constants. Random sources only. */
int phi_check_finite(struct phi_source *source, const struct phi_findings *findings,
	struct phi_err *err);

#endif
