/* Which call makes which kind of tensor (facts/pytorch_tf.md 1.4). */
#include "formats/pytorch/view.h"

/* Calls that only wrap another one: a parameter, a buffer, a subclass. */
static bool
unwrap(const struct phi_pickle **callable, const struct phi_pickle **args)
{
	static const char *const wraps[] = { "torch._utils _rebuild_parameter",
		"torch._utils _rebuild_parameter_with_state", "torch.nn.parameter Parameter",
		"torch.nn.parameter Buffer", "torch._utils _rebuild_device_tensor_from_cpu_tensor" };
	static const char *const types[] = { "torch._tensor _rebuild_from_type_v2",
		"torch._tensor _rebuild_from_type", "torch.tensor _rebuild_from_type" };
	const struct phi_pickle *const inner = phi_pickle_item(*args, 0);
	for (size_t i = 0; i < sizeof wraps / sizeof *wraps; i++)
		if (phi_pickle_is_global(*callable, wraps[i])) {
			if (!inner || inner->kind != PHI_PICKLE_OBJECT)
				return false;
			*callable = inner->object->callable;
			*args = inner->object->args;
			return true;
		}
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (phi_pickle_is_global(*callable, types[i])) {
			*callable = inner;
			*args = phi_pickle_item(*args, 2);
			return *args && (*args)->kind == PHI_PICKLE_TUPLE;
		}
	return false;
}

static enum phi_torch_call
classify(const struct phi_pickle *callable)
{
	static const struct {
		const char *name;
		enum phi_torch_call call;
	} calls[] = {
		{ "torch._utils _rebuild_tensor_v2", PHI_TORCH_PLAIN },
		{ "torch._utils _rebuild_tensor", PHI_TORCH_PLAIN },
		{ "torch._utils _rebuild_tensor_v3", PHI_TORCH_TYPED },
		{ "torch._utils _rebuild_qtensor", PHI_TORCH_QUANTIZED },
		{ "torch._utils _rebuild_sparse_tensor", PHI_TORCH_SPARSE },
		{ "torch._utils _rebuild_sparse_csr_tensor", PHI_TORCH_SPARSE },
		{ "torch._utils _rebuild_nested_tensor", PHI_TORCH_NESTED },
		{ "torch._utils _rebuild_meta_tensor_no_storage", PHI_TORCH_META },
		{ "torch._utils _rebuild_device_tensor_from_numpy", PHI_TORCH_ARRAY },
		{ "torch._utils _rebuild_xla_tensor", PHI_TORCH_ARRAY },
	};
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		if (phi_pickle_is_global(callable, calls[i].name))
			return calls[i].call;
	return PHI_TORCH_NONE;
}

enum phi_torch_call
phi_torch_call_of(const struct phi_pickle *node, const struct phi_pickle **args)
{
	enum { WRAPS_MAX = 4 };
	if (!node || node->kind != PHI_PICKLE_OBJECT)
		return PHI_TORCH_NONE;
	const struct phi_pickle *callable = node->object->callable;
	*args = node->object->args;
	for (int i = 0; i < WRAPS_MAX && unwrap(&callable, args);)
		i++;
	return classify(callable);
}

bool
phi_torch_is_tensor(const struct phi_pickle *node)
{
	const struct phi_pickle *args;
	return phi_torch_call_of(node, &args) != PHI_TORCH_NONE;
}

static bool
is_storage(const struct phi_pickle *node)
{
	return node->kind == PHI_PICKLE_PERSISTENT &&
	       phi_pickle_is_string(phi_pickle_item(node->items[0], 0), "storage");
}

bool
phi_torch_is_like_tensor(const struct phi_pickle *node)
{
	return is_storage(node) || phi_torch_is_array(node);
}

/* A storage by itself is a row of its numbers. */
static int
add_bare(struct phi_torch *torch, const struct phi_pickle *node, const char *name, const char **why,
	bool *left, struct phi_err *err)
{
	struct phi_torch_view v = { .rank = 1, .stride = { 1 } };
	const struct phi_pickle *const part = phi_pickle_item(node->items[0], 5);
	if (++torch->bare > PHI_TORCH_BARE_MAX)
		return phi_fail(err, PHI_LIMIT, "more than %d storages without a tensor",
			PHI_TORCH_BARE_MAX);
	if (phi_torch_take_storage(torch, node, &v.storage, &v.dtype, &v.offset, err))
		return -1;
	v.size[0] = torch->storages[v.storage].count;
	if (part && part->kind != PHI_PICKLE_NONE &&
		!phi_torch_whole_number(phi_pickle_item(part, 2), &v.size[0]))
		return phi_fail(err, PHI_FORMAT, "its storage is a view that cannot be");
	return phi_torch_add_view(torch, &v, name, why, left, err);
}

/* Of another device: (array, dtype, device, requires_grad); the array's numbers become the dtype's. */
static int
add_from_array(struct phi_torch *torch, const struct phi_pickle *args, const char *name,
	const char **why, bool *left, struct phi_err *err)
{
	const struct phi_torch_dtype *const dtype = phi_torch_dtype(phi_pickle_item(args, 1));
	const size_t before = torch->model->ntensors;
	if (phi_torch_add_array(torch, phi_pickle_item(args, 0), name, why, left, err))
		return -1;
	if (torch->model->ntensors > before && dtype &&
		dtype->id != torch->model->tensors[before].type->id)
		*why = "it is shown in the type of the array it was saved as";
	return 0;
}

int
phi_torch_add_tensor(struct phi_torch *torch, const struct phi_pickle *node, const char *name,
	const char **why, bool *left, struct phi_err *err)
{
	const struct phi_pickle *args = NULL;
	struct phi_torch_view v = { .dtype = NULL };
	const enum phi_torch_call call = phi_torch_call_of(node, &args);
	*why = NULL;
	*left = false;
	switch (call) {
	case PHI_TORCH_PLAIN:
	case PHI_TORCH_TYPED:
		if (phi_torch_read_view(torch, args, call == PHI_TORCH_TYPED, &v, err))
			return -1;
		return phi_torch_add_view(torch, &v, name, why, left, err);
	case PHI_TORCH_SPARSE:
		return phi_torch_add_sparse(torch, args, name, why, left, err);
	case PHI_TORCH_NESTED:
		return phi_torch_add_nested(torch, args, name, why, left, err);
	case PHI_TORCH_QUANTIZED:
		return phi_torch_add_quantized(torch, args, name, why, left, err);
	case PHI_TORCH_META:
		return phi_torch_add_meta(torch, args, name, why, left, err);
	case PHI_TORCH_ARRAY:
		return add_from_array(torch, args, name, why, left, err);
	case PHI_TORCH_NONE:
		if (is_storage(node))
			return add_bare(torch, node, name, why, left, err);
		break;
	}
	return phi_torch_add_array(torch, node, name, why, left, err);
}
