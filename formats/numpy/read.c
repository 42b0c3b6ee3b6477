#include "formats/numpy/read.h"

#include "formats/core/checked.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/core/spool.h"
#include "formats/core/swap.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Bytes */

int
phi_numpy_range_read(void *from, uint64_t offset, void *dst, size_t n, struct phi_err *err)
{
	const struct phi_numpy_range *const range = from;
	if (!phi_fits(offset, n, range->size))
		return phi_fail(err, PHI_TRUNCATED, "%zu bytes at offset %" PRIu64 " pass the end",
			n, offset);
	return range->member ? phi_member_read(range->member, range->offset + offset, dst, n, err)
			     : phi_spool_read(range->spool, range->offset + offset, dst, n, err);
}

struct phi_numpy_range
phi_numpy_entry(const struct phi_numpy *numpy, size_t entry)
{
	const struct phi_zip_entry *const e = &numpy->zip.entries[entry];
	if (e->deflated)
		return (struct phi_numpy_range){ .spool = numpy->spool,
			.offset = numpy->places[entry].spooled,
			.size = e->size };
	return (struct phi_numpy_range){
		.member = numpy->member, .offset = e->data, .size = e->size
	};
}

/* A storage's offset is where it lies in the file; of a deflated entry, where that begins. */
static int
read_storage(struct phi_source *source, uint32_t storage, uint64_t offset, void *dst, size_t n,
	struct phi_err *err)
{
	const struct phi_numpy *const s = source->state;
	const struct phi_storage *const range = &source->model->storages[storage];
	if (!phi_fits(offset, n, range->size))
		return phi_fail(err, PHI_ARGUMENT, "read beyond the end of a storage");
	if (!s->archive || !s->zip.entries[range->inner].deflated)
		return phi_member_read(s->member, range->offset + offset, dst, n, err);
	const struct phi_numpy_place *const place = &s->places[range->inner];
	return phi_spool_read(s->spool, place->spooled + place->data + offset, dst, n, err);
}

static void
close_state(struct phi_source *source)
{
	struct phi_numpy *const s = source->state;
	phi_zip_free(&s->zip);
	phi_spool_free(s->spool);
	phi_free(s->places);
	phi_member_close(s->member);
	phi_free(s);
}

static const struct phi_source_ops ops = {
	.read = read_storage,
	.check = phi_numpy_check,
	.layout = phi_numpy_layout,
	.close = close_state,
};

/* Tensors */

/* Column-major: the first dimension runs fastest. */
static void
set_strides(struct phi_plane *plane, const struct phi_npy *npy)
{
	int64_t stride = 1;
	plane->dense = !npy->fortran || npy->rank < 2 || !npy->bytes;
	for (unsigned d = 0; !plane->dense && d < npy->rank; d++) {
		plane->stride[d] = stride;
		stride *= (int64_t)npy->shape[d];
	}
}

static int
add_tensor(struct phi_model *model, const struct phi_npy *npy, const char *name,
	const struct phi_storage *where, struct phi_err *err)
{
	struct phi_storage *const storage = phi_model_add_storage(model, err);
	struct phi_tensor *const tensor = storage ? phi_model_add_tensor(model, err) : NULL;
	if (!tensor)
		return -1;
	*storage = *where;
	tensor->name = name;
	tensor->type = npy->type;
	tensor->rank = npy->rank;
	memcpy(tensor->shape, npy->shape, sizeof tensor->shape);
	tensor->nplanes = 1;
	tensor->plane[0] = (struct phi_plane){ .storage = (uint32_t)model->nstorages - 1,
		.swap = npy->swap && phi_type_swaps(npy->type) };
	set_strides(&tensor->plane[0], npy);
	return 0;
}

/* Things said once however many arrays they are true of. */
struct tally {
	size_t count;
	char first[512];
};

struct remarks {
	struct tally left, guessed, followed;
};

static void
count(struct tally *tally, const char *name, const char *why)
{
	struct phi_quoted q;
	if (tally->count++ == 0)
		snprintf(tally->first, sizeof tally->first, "%s%s%s", phi_quote(&q, name),
			why[0] ? ": " : "", why);
}

static int
say(struct phi_model *model, const struct tally *tally, const char *what, struct phi_err *err)
{
	return !tally->count	   ? 0
	       : tally->count == 1 ? phi_model_warn(model, err, "%s: %s", what, tally->first)
				   : phi_model_warn(model, err, "%s (%zu of them): %s", what,
					     tally->count, tally->first);
}

static int
say_all(struct phi_model *model, const struct remarks *r, struct phi_err *err)
{
	return say(model, &r->left, "left out", err) ||
			       say(model, &r->guessed,
				       "two bytes without a type (V2) are taken for BF16", err) ||
			       say(model, &r->followed, "bytes follow the end of the array", err)
		       ? -1
		       : 0;
}

/* .npy */

static int
add_array(struct phi_model *model, const struct phi_npy *npy, const char *name, uint64_t size,
	const struct phi_storage *where, struct remarks *remarks, struct phi_err *err)
{
	if (npy->guessed)
		count(&remarks->guessed, name, "");
	if (npy->data + npy->bytes < size)
		count(&remarks->followed, name, "");
	return add_tensor(model, npy, name, where, err);
}

static int
describe_file(struct phi_source *source, const char *file, struct phi_err *err)
{
	struct phi_numpy *const s = source->state;
	struct phi_model *const model = source->model;
	struct phi_numpy_range all = { .member = s->member, .size = phi_member_size(s->member) };
	struct remarks remarks = { 0 };
	struct phi_npy npy;
	if (phi_npy_parse(&npy, phi_numpy_range_read, &all, all.size, err))
		return -1;
	if (!npy.type)
		return phi_fail(err, PHI_UNSUPPORTED, "its elements are %s", npy.what);
	const struct phi_storage where = { .file = file, .offset = npy.data, .size = npy.bytes };
	return add_array(model, &npy, model->name, all.size, &where, &remarks, err)
		       ? -1
		       : say_all(model, &remarks, err);
}

/* .npz */

static int
inflate_entry(struct phi_numpy *s, size_t entry, const struct phi_spool_options *options,
	struct phi_err *err)
{
	if (!s->spool)
		s->spool = phi_spool_new(options, err);
	if (!s->spool)
		return phi_context(err, "compressed arrays");
	s->places[entry].spooled = phi_spool_size(s->spool);
	return phi_zip_inflate(&s->zip, &s->zip.entries[entry], s->spool, err);
}

/* "layers/0/weight.npy" is the array "layers/0/weight". */
static const char *
array_name(struct phi_arena *arena, const char *entry, struct phi_err *err)
{
	const size_t n = strlen(entry);
	return phi_arena_copy(
		arena, entry, n >= 4 && !strcmp(entry + n - 4, ".npy") ? n - 4 : n, err);
}

static int
describe_array(struct phi_source *source, size_t entry, const char *file, struct remarks *remarks,
	struct phi_err *err)
{
	struct phi_numpy *const s = source->state;
	const struct phi_zip_entry *const e = &s->zip.entries[entry];
	struct phi_numpy_range all = phi_numpy_entry(s, entry);
	const char *const name = array_name(source->model->arena, e->name, err);
	struct phi_npy npy;
	if (!name || phi_npy_parse(&npy, phi_numpy_range_read, &all, all.size, err))
		return -1;
	if (!npy.type) {
		char why[256];
		snprintf(why, sizeof why, "its elements are %s", npy.what);
		count(&remarks->left, e->name, why);
		return 0;
	}
	s->places[entry].data = npy.data;
	const struct phi_storage where = { .file = file,
		.offset = e->data + (e->deflated ? 0 : npy.data),
		.size = npy.bytes,
		.inner = (uint32_t)entry };
	return add_array(source->model, &npy, name, all.size, &where, remarks, err);
}

/* Does the entry begin as an array does? */
static int
is_array(const struct phi_numpy *s, size_t entry, struct phi_err *err)
{
	uint8_t head[PHI_NPY_MAGIC];
	struct phi_numpy_range all = phi_numpy_entry(s, entry);
	if (all.size < sizeof head)
		return 0;
	return phi_numpy_range_read(&all, 0, head, sizeof head, err)
		       ? -1
		       : phi_npy_is(head, sizeof head);
}

static int
describe_entry(struct phi_source *source, const struct phi_open_options *options, size_t entry,
	const char *file, struct remarks *remarks, struct phi_err *err)
{
	struct phi_numpy *const s = source->state;
	const struct phi_zip_entry *const e = &s->zip.entries[entry];
	if (e->name[strlen(e->name) - 1] == '/' && !e->size)
		return 0; /* a folder */
	if (!e->readable) {
		count(&remarks->left, e->name,
			"is encrypted, or compressed by another method than deflate");
		return 0;
	}
	if (e->deflated && inflate_entry(s, entry, options ? options->spool : NULL, err))
		return -1;
	const int array = is_array(s, entry, err);
	if (!array)
		count(&remarks->left, e->name, "is no array");
	return array <= 0 ? array : describe_array(source, entry, file, remarks, err);
}

static int
describe_archive(struct phi_source *source, const struct phi_open_options *options,
	const char *file, struct phi_err *err)
{
	struct phi_numpy *const s = source->state;
	struct remarks remarks = { 0 };
	s->archive = true;
	if (phi_zip_open(&s->zip, s->member, source->model->arena, err))
		return -1;
	s->places = phi_calloc(s->zip.count + 1, sizeof *s->places, err);
	if (!s->places)
		return -1;
	for (size_t i = 0; i < s->zip.count; i++) {
		struct phi_quoted q;
		if (describe_entry(source, options, i, file, &remarks, err))
			return phi_context(err, "%s", phi_quote(&q, s->zip.entries[i].name));
	}
	return say_all(source->model, &remarks, err);
}

static int
describe(struct phi_source *source, struct phi_store *store, const struct phi_open_options *options,
	struct phi_err *err)
{
	struct phi_numpy *const s = source->state;
	struct phi_arena *const arena = source->model->arena;
	const char *const name = options && options->name ? options->name : phi_store_base(store);
	const uint8_t *head;
	size_t n;
	source->model->name = phi_arena_strdup(arena, name, err);
	s->member = phi_store_member(store, NULL, err);
	if (!source->model->name || !s->member || phi_member_peek(s->member, &head, &n, err))
		return -1;
	if (phi_member_sequential(s->member))
		return phi_fail(err, PHI_ARGUMENT, "a pipe must be spooled first");
	const char *const file = phi_arena_strdup(arena, phi_member_name(s->member), err);
	if (!file)
		return -1;
	return phi_npy_is(head, n) ? describe_file(source, file, err)
				   : describe_archive(source, options, file, err);
}

struct phi_source *
phi_numpy_open(struct phi_store *store, const struct phi_open_options *options, struct phi_err *err)
{
	struct phi_source *const source = phi_source_new("numpy", &ops, sizeof(struct phi_numpy), err);
	if (source && !describe(source, store, options, err))
		return source;
	phi_source_close(source);
	return NULL;
}
