/* A pickle of any bytes: run as symbols, walked as a checkpoint. */
#include "formats/pytorch/walk.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct phi_err err = { 0 };
	struct phi_arena *const arena = phi_arena_new(&err);
	struct phi_pickle_tree tree;
	const int failed = phi_pickle_run(arena, data, size, &tree, &err);
	if (tree.used > size || (failed && !err.text[0]))
		abort();
	struct phi_model *const model = phi_model_new("pytorch", &err);
	struct phi_torch torch;
	if (!failed && !phi_torch_open(&torch, model, &err)) {
		const bool legacy = size % 2;
		if (!(legacy && phi_torch_add_storages(&torch, tree.persistent, &err)) &&
			!phi_torch_walk(&torch, tree.root, size % 3 ? NULL : "prefix", &err))
			(void)phi_model_check(model, &err);
		phi_torch_free(&torch);
	}
	phi_model_free(model);
	phi_arena_free(arena);
	return 0;
}
