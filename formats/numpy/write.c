#include "formats/numpy/write.h"

#include "formats/core/buffer.h"
#include "formats/core/escape.h"
#include "formats/core/zip_plan.h"
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

/* An entry: the array's header, then its data. */
static int
plan_array(struct phi_zip_file *zip, uint32_t index, struct phi_err *err)
{
	struct phi_plan *const plan = zip->plan;
	const struct phi_tensor *const t = &plan->model->tensors[index];
	struct phi_buffer header = { 0 };
	struct phi_quoted q;
	if (!phi_utf8_valid(t->name, strlen(t->name)))
		return phi_fail(err, PHI_UNSUPPORTED, "tensor \"%s\": not a name %s can hold",
			phi_quote(&q, t->name), plan->format->name);
	const char *const name = phi_arena_printf(plan->arena, err, "%s.npy", t->name);
	int result = name ? phi_npy_build(&header, t->type, t->rank, t->shape, err) : -1;
	if (!result)
		result = phi_zip_plan_data(
			zip, name, header.data, header.size, plan->bytes[index], err);
	phi_buffer_free(&header);
	return result ? -1 : phi_plan_add_tensor(plan, index, zip->file, zip->data, err);
}

static int
complete_archive(struct phi_plan *plan, struct phi_err *err)
{
	struct phi_zip_file zip = { 0 };
	int result = phi_plan_add_file(plan, NULL, err) ||
		     phi_zip_plan_open(&zip, plan, 0, &phi_zip_python, "", err);
	for (uint32_t i = 0; !result && i < plan->model->ntensors; i++)
		result = plan_array(&zip, i, err);
	if (!result)
		result = phi_zip_plan_close(&zip, err);
	phi_zip_plan_free(&zip);
	return result ? -1 : 0;
}

/* A pipe takes a .npy only: an archive's checksums stand before its data. */
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
	const int result = is_lone(plan) ? complete_lone(plan, err) : complete_archive(plan, err);
	return result ? -1 : phi_plan_warn_left_out(plan, false, err);
}
