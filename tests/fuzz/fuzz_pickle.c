/* A pickle of any bytes: run as symbols, walked as a checkpoint. */
#include "formats/pytorch/walk.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct phi_err err = { 0 };
	struct phi_arena *const arena = phi_arena_new(&err);
	size_t used;
	const struct phi_pickle *const root = phi_pickle_run(arena, data, size, &used, &err);
	if (used > size || (!root && !err.text[0]))
		abort();
	struct phi_model *const model = phi_model_new("pytorch", &err);
	struct phi_torch_storages storages;
	if (root && !phi_torch_storages_open(&storages, &err)) {
		if (!phi_torch_walk(model, &storages, root, false, &err))
			(void)phi_model_check(model, &err);
		phi_torch_storages_free(&storages);
	}
	phi_model_free(model);
	phi_arena_free(arena);
	return 0;
}
