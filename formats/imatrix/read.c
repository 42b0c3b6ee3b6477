/* The byte picture is in imatrix.h. */
#include "formats/imatrix/imatrix.h"

#include "formats/core/bytes.h"
#include "formats/core/checked.h"
#include "formats/core/memory.h"

#include <inttypes.h>

struct reader {
	struct phi_member *member;
	struct phi_model *model;
	const char *file;
	uint64_t at, size;
};

static int
read_storage(struct phi_source *source, uint32_t storage, uint64_t offset, void *dst, size_t n,
	struct phi_err *err)
{
	const struct phi_storage *const s = &source->model->storages[storage];
	if (!phi_fits(offset, n, s->size))
		return phi_fail(err, PHI_ARGUMENT, "read beyond the end of a storage");
	return phi_member_read(source->state, s->offset + offset, dst, n, err);
}

static void
close_member(struct phi_source *source)
{
	phi_member_close(source->state);
}

static const struct phi_source_ops ops = {
	.read = read_storage, .layout = phi_imatrix_layout, .close = close_member
};

/* A number that counts something: not negative, at most `most`. */
static int
read_count(struct reader *r, const char *what, uint32_t most, uint32_t *out, struct phi_err *err)
{
	uint8_t bytes[4];
	if (phi_member_read(r->member, r->at, bytes, sizeof bytes, err))
		return phi_context(err, "number of %s", what);
	*out = phi_load32(bytes);
	if (*out > INT32_MAX)
		return phi_fail(err, PHI_FORMAT, "offset %" PRIu64 ": number of %s is %" PRId32,
			r->at, what, (int32_t)*out);
	if (*out > most)
		return phi_fail(err, PHI_LIMIT,
			"offset %" PRIu64 ": number of %s is %" PRIu32 ", above the limit (%" PRIu32
			")",
			r->at, what, *out, most);
	r->at += sizeof bytes;
	return 0;
}

/* n characters, without NUL, in the arena. */
static char *
read_text(struct reader *r, uint32_t n, struct phi_err *err)
{
	if (!phi_fits(r->at, n, r->size)) {
		phi_fail(err, PHI_TRUNCATED,
			"%" PRIu32 " characters at offset %" PRIu64
			" end beyond the end of the file (%" PRIu64 ")",
			n, r->at, r->size);
		return NULL;
	}
	char *const text = phi_arena_calloc(r->model->arena, (size_t)n + 1, 1, err);
	if (!text || phi_member_read(r->member, r->at, text, n, err))
		return NULL;
	if (memchr(text, '\0', n)) {
		phi_fail(err, PHI_FORMAT, "offset %" PRIu64 ": a NUL in a name", r->at);
		return NULL;
	}
	r->at += n;
	return text;
}

/* A tensor of n numbers of 4 bytes at `offset`. */
static int
add_tensor(struct reader *r, const char *name, const char *suffix, enum phi_type_id type,
	uint64_t n, uint64_t offset, struct phi_err *err)
{
	struct phi_storage *const s = phi_model_add_storage(r->model, err);
	struct phi_tensor *const t = s ? phi_model_add_tensor(r->model, err) : NULL;
	if (!t)
		return -1;
	*s = (struct phi_storage){ .file = r->file, .offset = offset, .size = 4 * n };
	t->name = phi_arena_printf(r->model->arena, err, "%s%s", name, suffix);
	t->type = phi_type_of(type);
	t->rank = 1;
	t->shape[0] = n;
	t->nplanes = 1;
	t->plane[0] =
		(struct phi_plane){ .storage = (uint32_t)r->model->nstorages - 1, .dense = true };
	return t->name ? 0 : -1;
}

static int
read_entry(struct reader *r, struct phi_err *err)
{
	uint32_t size, calls, values;
	if (read_count(r, "characters of a name", PHI_NAME_MAX - 16, &size, err))
		return -1;
	const char *const name = read_text(r, size, err);
	const uint64_t counts = r->at;
	if (!name || read_count(r, "calls", INT32_MAX, &calls, err) ||
		read_count(r, "values", INT32_MAX, &values, err))
		return -1;
	if (!values)
		return phi_fail(
			err, PHI_FORMAT, "offset %" PRIu64 ": an entry without values", r->at - 4);
	if (!phi_fits(r->at, 4 * (uint64_t)values, r->size))
		return phi_fail(err, PHI_TRUNCATED,
			"%" PRIu32 " values at offset %" PRIu64
			" end beyond the end of the file (%" PRIu64 ")",
			values, r->at, r->size);
	if (add_tensor(r, name, ".in_sum2", PHI_F32, values, r->at, err) ||
		add_tensor(r, name, ".counts", PHI_I32, 1, counts, err))
		return -1;
	r->at += 4 * (uint64_t)values;
	return 0;
}

/* What may follow the entries; llama.cpp reads on as far as it goes. */
static int
read_trailer(struct reader *r, struct phi_err *err)
{
	struct phi_metadata *const keys = &r->model->metadata;
	uint32_t chunks, size;
	if (r->at == r->size)
		return 0;
	if (read_count(r, "chunks", INT32_MAX, &chunks, err) ||
		phi_metadata_add_u32(keys, r->model->arena, "imatrix.chunk_count", chunks, err))
		return -1;
	if (r->at == r->size)
		return 0;
	if (read_count(r, "characters of the dataset", PHI_IMATRIX_DATASET_MAX, &size, err))
		return -1;
	struct phi_string *const s = phi_arena_calloc(r->model->arena, 1, sizeof *s, err);
	if (!s)
		return -1;
	s->data = read_text(r, size, err);
	s->size = size;
	if (!s->data)
		return -1;
	if (r->at != r->size)
		return phi_fail(err, PHI_FORMAT, "%" PRIu64 " bytes follow the end (%" PRIu64 ")",
			r->size - r->at, r->at);
	const struct phi_value value = { .kind = PHI_VALUE_ARRAY,
		.array = { .kind = PHI_VALUE_STRING, .count = 1, .data = s } };
	return size ? phi_metadata_add(keys, r->model->arena, "imatrix.datasets", value, err) : 0;
}

static int
describe(struct phi_source *source, struct phi_store *store, struct phi_err *err)
{
	enum { ENTRY_MIN = 17 }; /* a name of one character, one value */
	struct phi_model *const model = source->model;
	struct reader r = { .member = source->state, .model = model };
	uint32_t entries;
	r.size = phi_member_size(r.member);
	r.file = phi_arena_strdup(model->arena, phi_member_name(r.member), err);
	model->name = phi_arena_strdup(model->arena, phi_store_base(store), err);
	if (!r.file || !model->name ||
		phi_metadata_add_string(
			&model->metadata, model->arena, "general.type", "imatrix", err) ||
		read_count(&r, "entries", PHI_IMATRIX_ENTRIES_MAX, &entries, err))
		return -1;
	if (!entries || entries > r.size / ENTRY_MIN)
		return phi_fail(err, entries ? PHI_TRUNCATED : PHI_FORMAT,
			"%" PRIu32 " entries in %" PRIu64 " bytes", entries, r.size);
	for (uint32_t i = 0; i < entries; i++)
		if (read_entry(&r, err))
			return phi_context(err, "entry %" PRIu32 " of %" PRIu32, i + 1, entries);
	return read_trailer(&r, err);
}

struct phi_source *
phi_imatrix_open(
	struct phi_store *store, const struct phi_open_options *options, struct phi_err *err)
{
	struct phi_source *const source = phi_source_new("imatrix", &ops, 0, err);
	(void)options;
	if (!source)
		return NULL;
	source->state = phi_store_member(store, NULL, err);
	if (source->state && !describe(source, store, err))
		return source;
	phi_source_close(source);
	return NULL;
}
