/* Fuzzed bytes that stand for several texts: pieces divided by lines of their own that say "%%". */
#ifndef PHI_TESTS_FUZZ_PARTS_H
#define PHI_TESTS_FUZZ_PARTS_H

#include "formats/core/model.h"

#include <stdlib.h>
#include <string.h>

struct fuzz_part {
	const uint8_t *data;
	size_t size;
};

/* The next part of what is left; empty when nothing is. */
static inline struct fuzz_part
fuzz_part(const uint8_t **data, size_t *size)
{
	const struct fuzz_part whole = { *data, *size };
	const uint8_t *const at = *size ? memmem(*data, *size, "\n%%\n", 4) : NULL;
	if (!at) {
		*size = 0;
		return whole;
	}
	const size_t n = (size_t)(at - *data);
	*data += n + 4;
	*size -= n + 4;
	return (struct fuzz_part){ whole.data, n };
}

/* Makes each part that is not empty the side file of that name. */
static inline void
fuzz_sides(struct phi_model *model, const char *const *names, size_t n, const uint8_t *data, size_t size)
{
	struct phi_err err = { 0 };
	for (size_t i = 0; i < n; i++) {
		const struct fuzz_part part = fuzz_part(&data, &size);
		if (part.size && phi_model_add_side(model, names[i], part.data, part.size, &err))
			abort();
	}
}

#endif
