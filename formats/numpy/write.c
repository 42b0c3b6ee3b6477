#include "formats/numpy/write.h"

#include "formats/core/buffer.h"
#include "formats/numpy/descr.h"
#include "formats/numpy/header.h"

#include <string.h>

static int
check_types(const struct phi_plan *plan, struct phi_err *err)
{
	for (uint32_t i = 0; i < plan->model->ntensors; i++) {
		const struct phi_type *const type = plan->model->tensors[i].type;
		if (!phi_descr_name(type))
			return phi_plan_refuse(plan, i, phi_descr_nearest(type), err);
	}
	return 0;
}

static int
complete_lone(struct phi_plan *plan, struct phi_err *err)
{
	const struct phi_tensor *const t = &plan->model->tensors[0];
	struct phi_buffer header = { 0 };
	if (plan->model->ntensors != 1)
		return phi_fail(err, PHI_ARGUMENT,
			"a .npy holds one array, not %zu; -o NAME.npz holds all, --only picks one",
			plan->model->ntensors);
	int result = phi_npy_build(&header, t->type, t->rank, t->shape, err);
	const void *const literal =
		result ? NULL : phi_arena_copy(plan->arena, header.data, header.size, err);
	if (!literal || phi_plan_add_file(plan, NULL, err) ||
		phi_plan_add_literal(plan, "header", 0, 0, literal, header.size, err) ||
		phi_plan_add_tensor(plan, 0, 0, header.size, err))
		result = -1;
	phi_buffer_free(&header);
	return result;
}

static bool
is_lone(const struct phi_plan *plan)
{
	const char *const name = plan->options.output;
	const size_t n = name ? strlen(name) : 0;
	return !name || (n >= 4 && !strcmp(name + n - 4, ".npy"));
}

int
phi_numpy_complete(struct phi_plan *plan, struct phi_err *err)
{
	if (check_types(plan, err))
		return -1;
	if (!is_lone(plan))
		return phi_fail(err, PHI_UNSUPPORTED, "an archive of arrays is not written yet; name the output .npy");
	return complete_lone(plan, err) ? -1 : phi_plan_warn_left_out(plan, false, err);
}
