/* Numbers and metadata values as text for people and JSON. */
#ifndef PHI_INSPECT_NUMBER_H
#define PHI_INSPECT_NUMBER_H

#include "formats/core/value.h"

#include <stddef.h>
#include <stdint.h>

struct phi_number {
	char text[40];
};

/* The fewest digits that give the same double (single: float) back; "NaN", "Infinity", "-Infinity". */
const char *phi_number_real(struct phi_number *n, double v, bool single);
/* Three digits and a unit: "3.82 B" for counts (K M B T), "2.20 GiB" for bytes. */
const char *phi_number_count(struct phi_number *n, uint64_t v);
const char *phi_number_bytes(struct phi_number *n, uint64_t v);

/* Element i of an array as a value of its own; strings are lent. */
void phi_value_element(const struct phi_value *array, uint64_t i, struct phi_value *out);
/* One line: escaped, strings in quotes; what does not fit (or, of an array, goes beyond some elements)
 * is "..." and the length. Returns dst. size is at least 64. */
const char *phi_value_text(const struct phi_value *value, char *dst, size_t size);

#endif
