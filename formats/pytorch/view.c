/* The calls of dense tensors, as torch writes them (facts/pytorch_tf.md 1.4):
 *
 *   torch._utils _rebuild_tensor_v2   (storage, offset, size, stride, requires_grad, hooks
 *                                      [, metadata])
 *   torch._utils _rebuild_tensor_v3   (storage, offset, size, stride, requires_grad, hooks, dtype
 *                                      [, metadata]); the storage is untyped
 *   metadata                          {'conj': True, 'neg': True}, or less
 */
#include "formats/pytorch/view.h"

#include "formats/core/checked.h"

#include <inttypes.h>

bool
phi_torch_whole_number(const struct phi_pickle *node, uint64_t *out)
{
	if (!node || node->kind != PHI_PICKLE_INT || node->i < 0)
		return false;
	*out = (uint64_t)node->i;
	return true;
}

int
phi_torch_read_sizes(const struct phi_pickle *node, uint64_t *out, unsigned *count,
	const char *what, struct phi_err *err)
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
		if (!phi_torch_whole_number(node->items[i], &out[i]))
			return phi_fail(err, PHI_FORMAT, "%s: not all whole numbers", what);
	return 0;
}

static bool
is_set(const struct phi_pickle *metadata, const char *key)
{
	const struct phi_pickle *const value = phi_pickle_value(metadata, key);
	return value && value->kind == PHI_PICKLE_BOOL && value->b;
}

int
phi_torch_read_view(struct phi_torch *torch, const struct phi_pickle *args, bool typed,
	struct phi_torch_view *v, struct phi_err *err)
{
	const struct phi_pickle *const metadata = phi_pickle_item(args, typed ? 7 : 6);
	const struct phi_torch_dtype *class;
	unsigned strides;
	uint64_t part;
	v->conj = is_set(metadata, "conj");
	v->neg = is_set(metadata, "neg");
	if (typed) {
		v->dtype = phi_torch_dtype(phi_pickle_item(args, 6));
		if (!v->dtype)
			return phi_fail(err, PHI_UNSUPPORTED, "a dtype that is not known");
	}
	if (!phi_torch_whole_number(phi_pickle_item(args, 1), &v->offset))
		return phi_fail(err, PHI_FORMAT, "offset: not a whole number");
	if (phi_torch_read_sizes(phi_pickle_item(args, 2), v->size, &v->rank, "size", err) ||
		phi_torch_read_sizes(phi_pickle_item(args, 3), v->stride, &strides, "stride", err))
		return -1;
	if (strides != v->rank)
		return phi_fail(err, PHI_FORMAT, "%u sizes, but %u strides", v->rank, strides);
	if (phi_torch_take_storage(
		    torch, phi_pickle_item(args, 0), &v->storage, &class, &part, err))
		return -1;
	/* The part of a storage is counted in the storage's elements. */
	if (!phi_mul(part, class->bytes, &part))
		return phi_fail(err, PHI_FORMAT, "its storage is a view that cannot be");
	if (!v->dtype)
		v->dtype = class;
	if (part % v->dtype->bytes || !phi_add(v->offset, part / v->dtype->bytes, &v->offset))
		return phi_fail(err, PHI_FORMAT, "its storage is a view that cannot be");
	return 0;
}

/* Row-major without gaps? Dimensions of one element have any stride. */
static bool
is_dense(const struct phi_torch_view *v)
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
int
phi_torch_check_view(
	const struct phi_torch *torch, const struct phi_torch_view *v, struct phi_err *err)
{
	enum { REPEATS_MAX = 4096, SMALL = 1 << 20 };
	const uint64_t there = torch->model->storages[v->storage].size / v->dtype->bytes;
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

int
phi_torch_set_view(const struct phi_torch *torch, const struct phi_torch_view *v,
	struct phi_tensor *t, struct phi_err *err)
{
	struct phi_plane *const plane = &t->plane[0];
	uint64_t n;
	t->type = phi_type_of(v->dtype->id);
	t->rank = v->rank;
	t->nplanes = 1;
	plane->storage = v->storage;
	plane->dense = is_dense(v);
	plane->swap = torch->swap && v->dtype->bytes > 1;
	for (unsigned d = 0; d < v->rank; d++) {
		t->shape[d] = v->size[d];
		plane->stride[d] = (int64_t)v->stride[d];
	}
	if (!phi_mul(v->offset, v->dtype->bytes, &plane->offset))
		return phi_fail(err, PHI_FORMAT, "offset beyond 2^64");
	if (phi_tensor_elements(t, &n) && n == 0) {
		/* Nothing is addressed: an offset may be anything. */
		plane->offset = 0;
		plane->dense = true;
	}
	return 0;
}

/* Puts a made storage in the place of the tensor's plane: its elements in order, signs flipped. */
static int
make_dense(struct phi_torch *torch, const struct phi_torch_view *v, struct phi_tensor *t,
	struct phi_err *err)
{
	uint64_t n, bytes;
	if (!phi_tensor_elements(t, &n) || !phi_mul(n, v->dtype->bytes, &bytes))
		return phi_fail(err, PHI_FORMAT, "shape has more than 2^64 bytes");
	uint32_t storage;
	struct phi_torch_made *const made = phi_torch_make(torch, bytes, &storage, err);
	if (!made)
		return -1;
	made->view = *t;
	if (t->type->elements != 1)
		made->view.type = phi_type_of(PHI_U8);
	made->conj = v->conj;
	made->neg = v->neg;
	t->plane[0] = (struct phi_plane){ .storage = storage, .dense = true };
	return 0;
}

/* Two numbers share a byte: torch counts the bytes, everyone else the numbers. */
static int
widen_pairs(struct phi_tensor *t, const char **why, struct phi_err *err)
{
	if (!t->rank) {
		t->type = phi_type_of(PHI_U8);
		*why = "a single pair of 4-bit numbers is shown as its byte";
		return 0;
	}
	return phi_mul(t->shape[t->rank - 1], 2, &t->shape[t->rank - 1])
		       ? 0
		       : phi_fail(err, PHI_FORMAT, "shape has more than 2^64 elements");
}

static bool
has_sign(const struct phi_type *type)
{
	return type->class == PHI_CLASS_COMPLEX ||
	       (type->class == PHI_CLASS_FLOAT && type->elements == 1 && type->bytes > 1);
}

int
phi_torch_add_view(struct phi_torch *torch, const struct phi_torch_view *v, const char *name,
	const char **why, bool *left, struct phi_err *err)
{
	struct phi_tensor t = { .nplanes = 1 };
	if (phi_torch_check_view(torch, v, err) || phi_torch_set_view(torch, v, &t, err))
		return -1;
	const bool flipped = (v->conj && t.type->class == PHI_CLASS_COMPLEX) || v->neg;
	if (v->neg && !has_sign(t.type)) {
		*why = "it is a negated view of numbers that have no sign of their own";
		*left = true;
		return 0;
	}
	if ((flipped || (t.type->elements != 1 && !t.plane[0].dense)) &&
		make_dense(torch, v, &t, err))
		return -1;
	if (t.type->elements != 1 && widen_pairs(&t, why, err))
		return -1;
	if (v->dtype->bits)
		*why = "it is quantized, and shown as its integers";
	struct phi_tensor *const kept =
		phi_torch_new_tensor(torch, name, t.type->id, t.rank, t.shape, err);
	if (!kept)
		return -1;
	kept->nplanes = 1;
	kept->plane[0] = t.plane[0];
	return 0;
}
