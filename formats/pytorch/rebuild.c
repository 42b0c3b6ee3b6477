/* The calls, as torch writes them (facts/pytorch_tf.md 1.4):
 *
 *   torch._utils _rebuild_tensor_v2   (storage, offset, size, stride, requires_grad, hooks
 *                                      [, metadata])
 *   torch._utils _rebuild_tensor_v3   (storage, offset, size, stride, requires_grad, hooks, dtype
 *                                      [, metadata]); the storage is untyped
 *   storage                           persistent id ('storage', class, key, location, count
 *                                      [, view: None or (key, offset, count)])
 */
#include "formats/pytorch/rebuild.h"

#include "formats/core/checked.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/pytorch/dtype.h"

#include <inttypes.h>
#include <string.h>

int
phi_torch_storages_open(struct phi_torch_storages *storages, struct phi_err *err)
{
	*storages = (struct phi_torch_storages){ .keys = phi_names_new(err) };
	return storages->keys ? 0 : -1;
}

void
phi_torch_storages_free(struct phi_torch_storages *storages)
{
	phi_free(storages->items);
	phi_names_free(storages->keys);
	*storages = (struct phi_torch_storages){ 0 };
}

/* Calls that only wrap another one: a parameter, a buffer, a subclass. */
static bool
unwrap(const struct phi_pickle **callable, const struct phi_pickle **args)
{
	const struct phi_pickle *const inner = phi_pickle_item(*args, 0);
	if (phi_pickle_is_global(*callable, "torch._utils _rebuild_parameter") ||
		phi_pickle_is_global(*callable, "torch._utils _rebuild_parameter_with_state") ||
		phi_pickle_is_global(*callable, "torch.nn.parameter Parameter")) {
		if (!inner || inner->kind != PHI_PICKLE_OBJECT)
			return false;
		*callable = inner->object->callable;
		*args = inner->object->args;
		return true;
	}
	if (phi_pickle_is_global(*callable, "torch._tensor _rebuild_from_type_v2")) {
		*callable = inner;
		*args = phi_pickle_item(*args, 2);
		return *args && (*args)->kind == PHI_PICKLE_TUPLE;
	}
	return false;
}

enum call { CALL_NONE, CALL_PLAIN, CALL_TYPED, CALL_OTHER };

static enum call
classify(const struct phi_pickle *callable, const char **why)
{
	static const struct {
		const char *name;
		enum call call;
		const char *why;
	} calls[] = {
		{ "torch._utils _rebuild_tensor_v2", CALL_PLAIN, NULL },
		{ "torch._utils _rebuild_tensor", CALL_PLAIN, NULL },
		{ "torch._utils _rebuild_tensor_v3", CALL_TYPED, NULL },
		{ "torch._utils _rebuild_qtensor", CALL_OTHER, "it is quantized by torch" },
		{ "torch._utils _rebuild_sparse_tensor", CALL_OTHER, "it is sparse" },
		{ "torch._utils _rebuild_nested_tensor", CALL_OTHER, "it is nested" },
		{ "torch._utils _rebuild_meta_tensor_no_storage", CALL_OTHER, "it has no bytes" },
		{ "torch._utils _rebuild_device_tensor_from_numpy", CALL_OTHER,
			"it is a NumPy array" },
		{ "torch._utils _rebuild_wrapper_subclass", CALL_OTHER,
			"it is of a class of its own" },
	};
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		if (phi_pickle_is_global(callable, calls[i].name)) {
			*why = calls[i].why;
			return calls[i].call;
		}
	return CALL_NONE;
}

/* The innermost call and its arguments. */
static enum call
find_call(const struct phi_pickle *node, const struct phi_pickle **args, const char **why)
{
	enum { WRAPS_MAX = 4 };
	if (!node || node->kind != PHI_PICKLE_OBJECT)
		return CALL_NONE;
	const struct phi_pickle *callable = node->object->callable;
	*args = node->object->args;
	for (int i = 0; i < WRAPS_MAX && unwrap(&callable, args);)
		i++;
	return classify(callable, why);
}

bool
phi_torch_is_tensor(const struct phi_pickle *node)
{
	const struct phi_pickle *args;
	const char *why;
	return find_call(node, &args, &why) != CALL_NONE;
}

static bool
whole_number(const struct phi_pickle *node, uint64_t *out)
{
	if (!node || node->kind != PHI_PICKLE_INT || node->i < 0)
		return false;
	*out = (uint64_t)node->i;
	return true;
}

/* A tuple of whole numbers; torch.Size is a call with the tuple as its argument. */
static int
numbers(const struct phi_pickle *node, uint64_t *out, unsigned *count, const char *what,
	struct phi_err *err)
{
	if (node && node->kind == PHI_PICKLE_OBJECT &&
		phi_pickle_is_global(node->object->callable, "torch Size"))
		node = phi_pickle_item(node->object->args, 0);
	if (!node || (node->kind != PHI_PICKLE_TUPLE && node->kind != PHI_PICKLE_LIST))
		return phi_fail(err, PHI_FORMAT, "%s: not a tuple", what);
	if (node->count > PHI_RANK_MAX)
		return phi_fail(err, PHI_LIMIT, "%s: more than %d dimensions (%" PRIu32 ")", what,
			PHI_RANK_MAX, node->count);
	*count = node->count;
	for (uint32_t i = 0; i < node->count; i++)
		if (!whole_number(node->items[i], &out[i]))
			return phi_fail(err, PHI_FORMAT, "%s: not all whole numbers", what);
	return 0;
}

/* One tensor's way from the call to the model. */
struct view {
	const struct phi_torch_dtype *dtype;
	uint32_t storage;
	uint64_t offset; /* elements */
	unsigned rank;
	uint64_t size[PHI_RANK_MAX], stride[PHI_RANK_MAX]; /* elements */
};

static int
add_storage(struct phi_model *model, struct phi_torch_storages *storages,
	const struct phi_pickle *key, uint64_t count, unsigned bytes, uint32_t *index,
	struct phi_err *err)
{
	struct phi_quoted q;
	*index = phi_names_find(storages->keys, key->string.data, key->string.size);
	if (*index != PHI_NONE) {
		const struct phi_torch_storage *const known = &storages->items[*index];
		return known->count == count && known->bytes == bytes
			       ? 0
			       : phi_fail(err, PHI_FORMAT, "storage %s is described in two ways",
					 phi_quote(&q, known->key));
	}
	const char *const name =
		phi_arena_copy(model->arena, key->string.data, key->string.size, err);
	uint64_t size;
	if (!name)
		return -1;
	if (strlen(name) != key->string.size || strchr(name, '/'))
		return phi_fail(
			err, PHI_FORMAT, "storage %s has no proper key", phi_quote(&q, name));
	if (!phi_mul(count, bytes, &size))
		return phi_fail(err, PHI_FORMAT, "storage %s has more than 2^64 bytes",
			phi_quote(&q, name));
	*index = (uint32_t)storages->count;
	if (phi_grow(&storages->items, &storages->capacity, storages->count,
		    sizeof *storages->items, err))
		return -1;
	struct phi_storage *const storage = phi_model_add_storage(model, err);
	if (!storage || phi_names_add(storages->keys, name, key->string.size, *index, err))
		return -1;
	storage->size = size;
	storages->items[storages->count++] =
		(struct phi_torch_storage){ .key = name, .count = count, .bytes = bytes };
	return 0;
}

/* The persistent id. A view into a larger storage (legacy files) only moves the offset. */
static int
take_storage(struct phi_model *model, struct phi_torch_storages *storages,
	const struct phi_pickle *node, struct view *v, struct phi_err *err)
{
	const struct phi_pickle *const id =
		node && node->kind == PHI_PICKLE_PERSISTENT ? node->items[0] : NULL;
	const struct phi_pickle *const key = phi_pickle_item(id, 2);
	const struct phi_pickle *const part = phi_pickle_item(id, 5);
	const struct phi_torch_dtype *const class = phi_torch_storage_class(phi_pickle_item(id, 1));
	uint64_t count, offset = 0;
	if (!phi_pickle_is_string(phi_pickle_item(id, 0), "storage") || !key ||
		key->kind != PHI_PICKLE_STRING || !whole_number(phi_pickle_item(id, 4), &count))
		return phi_fail(err, PHI_FORMAT, "its storage is not described as torch does");
	if (!class)
		return phi_fail(err, PHI_FORMAT, "its storage is of no class that is known");
	if (part && part->kind != PHI_PICKLE_NONE &&
		(!whole_number(phi_pickle_item(part, 1), &offset) ||
			!phi_add(v->offset, offset, &v->offset)))
		return phi_fail(err, PHI_FORMAT, "its storage is a view that cannot be");
	if (!v->dtype)
		v->dtype = class;
	return add_storage(model, storages, key, count, class->bytes, &v->storage, err);
}

int
phi_torch_add_storages(struct phi_model *model, struct phi_torch_storages *storages,
	const struct phi_pickle *persistent, struct phi_err *err)
{
	for (; persistent; persistent = persistent->next) {
		struct view v = { .dtype = NULL };
		if (phi_pickle_is_string(phi_pickle_item(persistent->items[0], 0), "storage") &&
			phi_torch_storage_class(phi_pickle_item(persistent->items[0], 1)) &&
			take_storage(model, storages, persistent, &v, err))
			return -1;
	}
	return 0;
}

/* Row-major without gaps? Dimensions of one element have any stride. */
static bool
is_dense(const struct view *v)
{
	uint64_t expected = 1;
	for (unsigned d = v->rank; d-- > 0;) {
		if (v->size[d] != 1 && v->stride[d] != expected)
			return false;
		if (!phi_mul(expected, v->size[d], &expected))
			return false;
	}
	return true;
}

/* The last element addressed must lie within the storage, and a view may not blow up what is there:
 * strides of zero repeat elements, which masks and positions do, but not a million times. */
static int
check_extent(const struct phi_storage *storage, const struct view *v, struct phi_err *err)
{
	enum { REPEATS_MAX = 4096, SMALL = 1 << 20 };
	const uint64_t there = storage->size / v->dtype->bytes;
	uint64_t n = 1, last = v->offset;
	bool empty = false;
	for (unsigned d = 0; d < v->rank; d++) {
		uint64_t reach;
		empty |= v->size[d] == 0;
		if (!phi_mul(n, v->size[d], &n))
			return phi_fail(err, PHI_FORMAT, "shape has more than 2^64 elements");
		if (v->size[d] > 1 && (!phi_mul(v->size[d] - 1, v->stride[d], &reach) ||
					      !phi_add(last, reach, &last)))
			return phi_fail(err, PHI_FORMAT, "strides reach beyond 2^64");
	}
	if (empty)
		return 0;
	if (last >= there)
		return phi_fail(err, PHI_FORMAT,
			"element %" PRIu64 " of a storage that has %" PRIu64, last, there);
	if (n > SMALL && n / REPEATS_MAX > there)
		return phi_fail(err, PHI_LIMIT, "%" PRIu64 " elements out of a storage of %" PRIu64,
			n, there);
	return 0;
}

/* Two numbers share a byte: torch counts the bytes, everyone else the numbers. */
static int
widen_pairs(struct phi_tensor *t, const struct view *v, struct phi_err *err)
{
	if (!v->rank || !t->plane[0].dense ||
		!phi_mul(v->size[v->rank - 1], 2, &t->shape[v->rank - 1]))
		return phi_fail(err, PHI_UNSUPPORTED, "a view of 4-bit numbers");
	return 0;
}

static int
put_tensor(struct phi_model *model, const struct view *v, const char *name, bool swap,
	struct phi_err *err)
{
	struct phi_tensor *const t = phi_model_add_tensor(model, err);
	if (!t)
		return -1;
	t->name = phi_arena_strdup(model->arena, name, err);
	t->type = phi_type_of((enum phi_type_id)v->dtype->id);
	t->rank = v->rank;
	t->nplanes = 1;
	struct phi_plane *const plane = &t->plane[0];
	plane->storage = v->storage;
	plane->dense = is_dense(v);
	plane->swap = swap && v->dtype->bytes > 1;
	for (unsigned d = 0; d < v->rank; d++) {
		t->shape[d] = v->size[d];
		plane->stride[d] = (int64_t)v->stride[d];
	}
	if (!t->name)
		return -1;
	if (!phi_mul(v->offset, v->dtype->bytes, &plane->offset))
		return phi_fail(err, PHI_FORMAT, "offset beyond 2^64");
	uint64_t n;
	if (phi_tensor_elements(t, &n) && n == 0) {
		/* Nothing is addressed: an offset may be anything. */
		plane->offset = 0;
		plane->dense = true;
	}
	return v->dtype->id == PHI_F4 ? widen_pairs(t, v, err) : 0;
}

static bool
is_set(const struct phi_pickle *metadata, const char *key)
{
	const struct phi_pickle *const value = phi_pickle_value(metadata, key);
	return value && value->kind == PHI_PICKLE_BOOL && value->b;
}

int
phi_torch_add_tensor(struct phi_model *model, struct phi_torch_storages *storages,
	const struct phi_pickle *node, const char *name, bool swap, const char **why,
	struct phi_err *err)
{
	const struct phi_pickle *args = NULL;
	*why = NULL;
	const enum call call = find_call(node, &args, why);
	if (call == CALL_OTHER)
		return 0;
	const uint32_t extra = call == CALL_TYPED ? 7 : 6;
	const struct phi_pickle *const metadata = phi_pickle_item(args, extra);
	struct view v = { .dtype = NULL };
	unsigned strides;
	if (is_set(metadata, "conj") || is_set(metadata, "neg")) {
		*why = "it is a conjugated or negated view";
		return 0;
	}
	if (call == CALL_TYPED) {
		v.dtype = phi_torch_dtype(phi_pickle_item(args, 6));
		if (!v.dtype)
			return phi_fail(err, PHI_UNSUPPORTED, "a dtype that is not known");
	}
	if (!whole_number(phi_pickle_item(args, 1), &v.offset))
		return phi_fail(err, PHI_FORMAT, "offset: not a whole number");
	if (numbers(phi_pickle_item(args, 2), v.size, &v.rank, "size", err) ||
		numbers(phi_pickle_item(args, 3), v.stride, &strides, "stride", err))
		return -1;
	if (strides != v.rank)
		return phi_fail(err, PHI_FORMAT, "%u sizes, but %u strides", v.rank, strides);
	if (take_storage(model, storages, phi_pickle_item(args, 0), &v, err))
		return -1;
	if (v.dtype->id < 0) {
		*why = "its type is none that is read";
		return 0;
	}
	if (check_extent(&model->storages[v.storage], &v, err))
		return -1;
	return put_tensor(model, &v, name, swap, err);
}
