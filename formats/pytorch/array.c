/* NumPy arrays, which training scripts leave among the tensors. Their bytes stand in the pickle:
 *
 *   numpy._core.multiarray _reconstruct (class, (0,), b'b')   BUILD (version, shape, dtype, fortran,
 *                                                                    bytes)
 *   numpy._core.numeric _frombuffer     (bytes, dtype, shape, 'C' or 'F')       protocol 5
 *   dtype    numpy dtype ('f4', False, True)                  BUILD (3, '<', ...)
 *   bytes    bytes; a string of Python 2; _codecs encode (text, 'latin1'): protocol 2
 *
 * Until NumPy 2 the module was numpy.core. Arrays of objects, strings, dates and records are left
 * out. */
#include "formats/pytorch/view.h"

#include "formats/core/checked.h"

#include <inttypes.h>
#include <string.h>

struct array {
	const struct phi_pickle *dtype, *shape, *bytes;
	bool fortran;
};

static bool
is_numpy(const struct phi_pickle *callable, const char *names[2])
{
	return phi_pickle_is_global(callable, names[0]) || phi_pickle_is_global(callable, names[1]);
}

static bool
find_array(const struct phi_pickle *node, struct array *a)
{
	static const char *reconstruct[2] = { "numpy._core.multiarray _reconstruct",
		"numpy.core.multiarray _reconstruct" };
	static const char *frombuffer[2] = { "numpy._core.numeric _frombuffer",
		"numpy.core.numeric _frombuffer" };
	if (!node || node->kind != PHI_PICKLE_OBJECT)
		return false;
	const struct phi_pickle_object *const o = node->object;
	if (is_numpy(o->callable, reconstruct)) {
		const struct phi_pickle *const order = phi_pickle_item(o->state, 3);
		a->shape = phi_pickle_item(o->state, 1);
		a->dtype = phi_pickle_item(o->state, 2);
		a->bytes = phi_pickle_item(o->state, 4);
		a->fortran = order && order->kind == PHI_PICKLE_BOOL && order->b;
		return true;
	}
	if (is_numpy(o->callable, frombuffer)) {
		a->bytes = phi_pickle_item(o->args, 0);
		a->dtype = phi_pickle_item(o->args, 1);
		a->shape = phi_pickle_item(o->args, 2);
		a->fortran = phi_pickle_is_string(phi_pickle_item(o->args, 3), "F");
		return true;
	}
	return false;
}

bool
phi_torch_is_array(const struct phi_pickle *node)
{
	struct array a;
	return find_array(node, &a);
}

/* The type of a dtype object, or NULL; *swap: its numbers are big-endian. */
static const struct phi_type *
type_of(const struct phi_pickle *dtype, bool *swap)
{
	static const struct {
		const char *name;
		enum phi_type_id id;
	} types[] = { { "f4", PHI_F32 }, { "f8", PHI_F64 }, { "f2", PHI_F16 }, { "i1", PHI_I8 },
		{ "i2", PHI_I16 }, { "i4", PHI_I32 }, { "i8", PHI_I64 }, { "u1", PHI_U8 },
		{ "u2", PHI_U16 }, { "u4", PHI_U32 }, { "u8", PHI_U64 }, { "b1", PHI_BOOL },
		{ "c8", PHI_C64 }, { "c16", PHI_C128 } };
	if (!dtype || dtype->kind != PHI_PICKLE_OBJECT ||
		!phi_pickle_is_global(dtype->object->callable, "numpy dtype"))
		return NULL;
	const struct phi_pickle *const name = phi_pickle_item(dtype->object->args, 0);
	*swap = phi_pickle_is_string(phi_pickle_item(dtype->object->state, 1), ">");
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (phi_pickle_is_string(name, types[i].name))
			return phi_type_of(types[i].id);
	return NULL;
}

/* The code points of UTF-8 text, all below 256, as bytes. Returns how many; more than `most` if there
 * are more, or if it is no such text. */
static uint64_t
encode_latin1(struct phi_string text, uint8_t *dst, uint64_t most)
{
	uint64_t n = 0;
	for (size_t i = 0; i < text.size; i++, n++) {
		const uint8_t c = (uint8_t)text.data[i];
		if (n == most)
			return most + 1;
		if (c < 0x80) {
			dst[n] = c;
			continue;
		}
		if ((c != 0xC2 && c != 0xC3) || ++i == text.size ||
			((uint8_t)text.data[i] & 0xC0) != 0x80)
			return most + 1;
		dst[n] = (uint8_t)((c & 3) << 6 | ((uint8_t)text.data[i] & 0x3F));
	}
	return n;
}

/* Copies the array's bytes, which must be `size`. Returns 0; 1: they are no bytes; -1. */
static int
copy_bytes(const struct phi_pickle *node, uint8_t *dst, uint64_t size, struct phi_err *err)
{
	uint64_t n;
	const bool call = node && node->kind == PHI_PICKLE_OBJECT;
	if (call && phi_pickle_is_global(node->object->callable, "_codecs encode")) {
		const struct phi_pickle *const text = phi_pickle_item(node->object->args, 0);
		if (!text || text->kind != PHI_PICKLE_STRING)
			return 1;
		n = encode_latin1(text->string, dst, size);
	} else if (call) {
		/* bytes() and bytearray() of nothing, as protocol 2 has it */
		n = 0;
	} else if (node && (node->kind == PHI_PICKLE_BYTES || node->kind == PHI_PICKLE_STRING)) {
		n = node->string.size;
		if (n == size && n)
			memcpy(dst, node->string.data, (size_t)n);
	} else {
		return 1;
	}
	return n == size ? 0
			 : phi_fail(err, PHI_FORMAT,
				   "the array has not the %" PRIu64 " bytes of its shape", size);
}

static void
set_plane(struct phi_tensor *t, uint32_t storage, uint64_t bytes, const struct array *a, bool swap)
{
	struct phi_plane *const plane = &t->plane[0];
	t->nplanes = 1;
	*plane = (struct phi_plane){ .storage = storage, .swap = swap && t->type->bytes > 1,
		.dense = !a->fortran || t->rank < 2 || !bytes };
	int64_t stride = 1;
	for (unsigned d = 0; d < t->rank && !plane->dense; d++) {
		plane->stride[d] = stride;
		stride *= (int64_t)t->shape[d];
	}
}

int
phi_torch_add_array(struct phi_torch *torch, const struct phi_pickle *node, const char *name,
	const char **why, bool *left, struct phi_err *err)
{
	struct array a;
	bool swap = false;
	const struct phi_type *const type = find_array(node, &a) ? type_of(a.dtype, &swap) : NULL;
	uint64_t shape[PHI_RANK_MAX], bytes = type ? type->bytes : 0;
	unsigned rank;
	if (!type) {
		*why = "it is an array of no numbers";
		*left = true;
		return 0;
	}
	if (phi_torch_read_sizes(a.shape, shape, &rank, "shape", err))
		return -1;
	for (unsigned d = 0; d < rank; d++)
		if (!phi_mul(bytes, shape[d], &bytes))
			return phi_fail(err, PHI_FORMAT, "shape has more than 2^64 elements");
	uint32_t storage;
	uint8_t *const room = phi_torch_room(torch, bytes, err);
	struct phi_torch_made *const made =
		room ? phi_torch_make(torch, bytes, &storage, err) : NULL;
	if (!made)
		return -1;
	const int copied = copy_bytes(a.bytes, room, bytes, err);
	if (copied > 0)
		return phi_fail(err, PHI_FORMAT, "the array has no bytes");
	struct phi_tensor *const t =
		copied ? NULL : phi_torch_new_tensor(torch, name, type->id, rank, shape, err);
	if (!t)
		return -1;
	made->bytes = room;
	set_plane(t, storage, bytes, &a, swap);
	return 0;
}
