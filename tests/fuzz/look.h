/* --check and --layout of whatever was opened: both succeed, and the regions tile the file. */
#ifndef PHI_TESTS_FUZZ_LOOK_H
#define PHI_TESTS_FUZZ_LOOK_H

#include "formats/core/format.h"

#include <stdlib.h>

static inline int
fuzz_take_finding(void *ctx, const struct phi_finding *finding, struct phi_err *err)
{
	(void)ctx;
	(void)err;
	if (!finding->rule || !finding->text)
		abort();
	return 0;
}

static inline int
fuzz_take_region(void *ctx, const struct phi_region *region, struct phi_err *err)
{
	uint64_t *const at = ctx;
	(void)err;
	if (region->offset != *at || !region->size)
		abort();
	*at += region->size;
	return 0;
}

static inline void
fuzz_look(struct phi_source *source)
{
	struct phi_err err = { 0 };
	uint64_t at = 0;
	const struct phi_findings findings = { .emit = fuzz_take_finding };
	const struct phi_regions regions = { .emit = fuzz_take_region, .ctx = &at };
	if (phi_model_check(source->model, &err))
		return;
	if (source->ops->check(source, &findings, &err) ||
		source->ops->layout(source, &regions, &err))
		abort();
}

#endif
