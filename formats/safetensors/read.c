/* The byte picture is in formats/core/st_header.h. */
#include "formats/safetensors/read.h"

#include "formats/core/buffer.h"
#include "formats/core/checked.h"
#include "formats/core/memory.h"
#include "formats/core/st_header.h"

#include <inttypes.h>
#include <string.h>

static int
read_storage(struct phi_source *source, uint32_t storage, uint64_t offset, void *dst, size_t n,
	struct phi_err *err)
{
	struct phi_safetensors *const s = source->state;
	const struct phi_storage *const range = &source->model->storages[storage];
	if (!phi_fits(offset, n, range->size))
		return phi_fail(err, PHI_ARGUMENT, "read beyond the end of a storage");
	if (phi_member_read(s->member, range->offset + offset, dst, n, err))
		return -1;
	if (source->sequential)
		s->at = range->offset + offset + n;
	return 0;
}

/* Reads a pipe on to the end of the data, behind which nothing may come. */
static int
finish(struct phi_source *source, struct phi_err *err)
{
	struct phi_safetensors *const s = source->state;
	char bytes[8 << 10];
	size_t got = 0;
	while (s->at < s->end) {
		const uint64_t left = s->end - s->at;
		const size_t n = left < sizeof bytes ? (size_t)left : sizeof bytes;
		if (phi_member_read(s->member, s->at, bytes, n, err))
			return -1;
		s->at += n;
	}
	if (phi_member_read_some(s->member, &s->at, bytes, 1, &got, err))
		return -1;
	if (got)
		return phi_fail(
			err, PHI_FORMAT, "bytes follow the end of the data (%" PRIu64 ")", s->end);
	return 0;
}

static void
close_state(struct phi_source *source)
{
	struct phi_safetensors *const s = source->state;
	phi_member_close(s->member);
	phi_free(s);
}

static const struct phi_source_ops ops = {
	.read = read_storage,
	.finish = finish,
	.check = phi_safetensors_check,
	.layout = phi_safetensors_layout,
	.close = close_state,
};

/* Reads n bytes at offset; memory grows with what a pipe really gives. */
static int
read_header(struct phi_member *member, uint64_t offset, uint64_t n, struct phi_buffer *out,
	struct phi_err *err)
{
	const bool sequential = phi_member_sequential(member);
	while (out->size < n) {
		const uint64_t left = n - out->size;
		const size_t step = sequential && left > PHI_PEEK_MAX ? PHI_PEEK_MAX : (size_t)left;
		if (phi_buffer_zeros(out, step, err))
			return -1;
		if (phi_member_read(member, offset + out->size - step, out->data + out->size - step,
			    step, err))
			return phi_context(err, "header of %" PRIu64 " bytes", n);
	}
	return 0;
}

static int
parse(struct phi_member *member, struct phi_arena *arena, struct phi_st_header *header,
	uint64_t *length, struct phi_err *err)
{
	uint8_t first[8];
	struct phi_buffer json = { 0 };
	if (phi_member_read(member, 0, first, sizeof first, err) ||
		phi_st_header_length(first, length, err))
		return -1;
	if (!phi_member_sequential(member) && !phi_fits(8, *length, phi_member_size(member)))
		return phi_fail(err, PHI_TRUNCATED,
			"header of %" PRIu64 " bytes passes the end of the file (%" PRIu64 ")",
			*length, phi_member_size(member));
	int result = read_header(member, 8, *length, &json, err);
	if (!result)
		result =
			phi_st_header_parse(header, arena, (const char *)json.data, json.size, err);
	phi_buffer_free(&json);
	return result;
}

/* The data must end where the file does: anything else is cut, or hides something. */
static int
check_end(const struct phi_member *member, uint64_t end, struct phi_err *err)
{
	const uint64_t size = phi_member_size(member);
	if (phi_member_sequential(member) || size == end)
		return 0;
	if (size < end)
		return phi_fail(err, PHI_TRUNCATED,
			"the data ends at offset %" PRIu64 ", beyond the end of the file (%" PRIu64
			")",
			end, size);
	return phi_fail(err, PHI_FORMAT,
		"%" PRIu64 " bytes follow the end of the data (%" PRIu64 ")", size - end, end);
}

static int
add_tensor(struct phi_model *model, const char *file, uint64_t start, const struct phi_st_entry *e,
	struct phi_err *err)
{
	struct phi_storage *const storage = phi_model_add_storage(model, err);
	struct phi_tensor *const tensor = storage ? phi_model_add_tensor(model, err) : NULL;
	if (!tensor)
		return -1;
	storage->file = file;
	storage->offset = start + e->begin;
	storage->size = e->end - e->begin;
	tensor->name = e->name;
	tensor->type = e->type;
	tensor->rank = e->rank;
	memcpy(tensor->shape, e->shape, sizeof tensor->shape);
	tensor->nplanes = 1;
	tensor->plane[0] =
		(struct phi_plane){ .storage = (uint32_t)model->nstorages - 1, .dense = true };
	return 0;
}

static int
describe(struct phi_source *source, struct phi_store *store, struct phi_err *err)
{
	struct phi_safetensors *const s = source->state;
	struct phi_model *const model = source->model;
	struct phi_st_header header = { 0 };
	uint64_t length, end = 0;
	int result = parse(s->member, model->arena, &header, &length, err);
	const char *const file = phi_arena_strdup(model->arena, phi_member_name(s->member), err);
	if (!result && !phi_add(8 + length, header.data_size, &end))
		result = phi_fail(err, PHI_FORMAT, "the data ends beyond 2^64");
	if (!result)
		result = check_end(s->member, end, err);
	s->end = end;
	s->at = s->start = 8 + length;
	model->name = phi_arena_strdup(model->arena, phi_store_base(store), err);
	model->metadata = header.metadata;
	if (!file || !model->name)
		result = -1;
	for (size_t i = 0; !result && i < header.count; i++)
		result = add_tensor(model, file, 8 + length, &header.entries[i], err);
	phi_st_header_free(&header);
	return result;
}

struct phi_source *
phi_safetensors_open(
	struct phi_store *store, const struct phi_open_options *options, struct phi_err *err)
{
	struct phi_source *const source =
		phi_source_new("safetensors", &ops, sizeof(struct phi_safetensors), err);
	(void)options;
	if (source) {
		struct phi_safetensors *const s = source->state;
		s->member = phi_store_member(store, NULL, err);
		source->sequential = s->member && phi_member_sequential(s->member);
		if (s->member && !describe(source, store, err))
			return source;
	}
	phi_source_close(source);
	return NULL;
}
