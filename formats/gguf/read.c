/* The source: a GGUF, or the first of several parts with the others beside it (split.h). */
#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/gguf/gguf.h"
#include "formats/gguf/parts.h"
#include "formats/gguf/place.h"
#include "formats/gguf/split.h"

#include <inttypes.h>
#include <string.h>

struct state {
	struct phi_store *folder; /* of the parts beside the first */
	struct phi_member **parts; /* a storage's `inner` is an index into them */
	size_t nparts, capacity;
	struct phi_gguf_cursor cursor; /* of the one part, where it is a pipe */
};

/* name NULL: the only member. */
static int
add_part(struct state *state, struct phi_store *store, const char *name, struct phi_err *err)
{
	if (phi_grow(&state->parts, &state->capacity, state->nparts, sizeof(struct phi_member *),
		    err))
		return -1;
	struct phi_member *const member = phi_store_member(store, name, err);
	if (!member)
		return -1;
	state->parts[state->nparts++] = member;
	return 0;
}

/* Describes the part that was added last. */
static int
describe_part(struct state *state, struct phi_model *model, struct phi_err *err)
{
	struct phi_member *const member = state->parts[state->nparts - 1];
	struct phi_gguf_header header = { 0 };
	const struct phi_gguf_placed placed = { .header = &header,
		.size = phi_member_size(member),
		.file = phi_arena_strdup(model->arena, phi_member_name(member), err),
		.part = (uint32_t)state->nparts - 1 };
	if (!placed.file || phi_gguf_cursor_open(&state->cursor, member, err))
		return -1;
	int result = phi_gguf_read_header(&state->cursor, model, &header, err);
	if (!result)
		result = phi_gguf_place(model, &placed, err);
	phi_free(header.extents);
	if (!phi_member_sequential(member))
		phi_gguf_cursor_close(&state->cursor);
	return result;
}

/* Another part's keys say only which part it is; the first one's are the model's. */
static int
describe_next(struct state *state, struct phi_model *model, const struct phi_gguf_split *whole,
	struct phi_err *err)
{
	const struct phi_metadata first = model->metadata;
	struct phi_gguf_split split;
	model->metadata = (struct phi_metadata){ 0 };
	int result = describe_part(state, model, err);
	if (!result)
		result = phi_gguf_split_read(&model->metadata, &split, err);
	model->metadata = first;
	if (!result && (split.number != state->nparts - 1 || split.count != whole->count))
		return phi_fail(err, PHI_FORMAT,
			"says it is part %" PRIu64 " of %" PRIu64 ", not %zu of %" PRIu64,
			split.number + 1, split.count, state->nparts, whole->count);
	return result;
}

/* The others are opened as members of the folder, so that only regular files within it are. */
static int
open_folder(struct state *state, struct phi_arena *arena, const char *path, struct phi_err *err)
{
	const char *const slash = strrchr(path, '/');
	const int n = slash == path ? 1 : (int)(slash - path);
	const char *const folder = slash ? phi_arena_printf(arena, err, "%.*s", n, path) : ".";
	state->folder = folder ? phi_store_open(folder, NULL, err) : NULL;
	return state->folder ? 0 : -1;
}

static int
add_siblings(struct state *state, struct phi_model *model, const char *path,
	const struct phi_gguf_split *split, struct phi_err *err)
{
	const char *const slash = strrchr(path, '/'), *const first = slash ? slash + 1 : path;
	if (split->count > PHI_GGUF_PARTS_MAX)
		return phi_fail(err, PHI_LIMIT, "%" PRIu64 " parts are more than the limit (%d)",
			split->count, PHI_GGUF_PARTS_MAX);
	if (open_folder(state, model->arena, path, err))
		return -1;
	for (uint64_t i = 1; i < split->count; i++) {
		struct phi_quoted q;
		const char *const name =
			phi_gguf_split_path(model->arena, first, i, split->count, err);
		if (!name || add_part(state, state->folder, name, err))
			return -1;
		if (describe_next(state, model, split, err))
			return phi_context(err, "%s", phi_quote(&q, name));
	}
	if (split->has_tensors && split->tensors != model->ntensors)
		return phi_fail(err, PHI_FORMAT, "its parts have %zu tensors, not %" PRIu64,
			model->ntensors, split->tensors);
	phi_gguf_split_forget(&model->metadata);
	return 0;
}

/* The first part of several opens the others beside it, like llama.cpp; any other stays as it is.
 */
static int
describe(struct state *state, struct phi_model *model, struct phi_store *store, struct phi_err *err)
{
	struct phi_gguf_split split;
	struct phi_quoted q;
	if (add_part(state, store, NULL, err) || describe_part(state, model, err) ||
		phi_gguf_split_read(&model->metadata, &split, err))
		return -1;
	const char *const path = phi_store_path(store);
	const bool file = phi_store_kind(store) == PHI_STORE_FILE;
	if (!split.count)
		return 0;
	if (split.number || !file || !phi_gguf_split_path(model->arena, path, 0, split.count, err))
		return phi_model_warn(model, err,
			"%s: is part %" PRIu64 " of %" PRIu64
			"; the others are not read (the first one's name opens all)",
			phi_quote(&q, path), split.number + 1, split.count);
	model->name = phi_gguf_split_base(model->arena, model->name, split.count, err);
	return model->name ? add_siblings(state, model, path, &split, err) : -1;
}

static int
read_bytes(struct phi_source *source, uint32_t storage, uint64_t offset, void *dst, size_t n,
	struct phi_err *err)
{
	struct state *const state = source->state;
	const struct phi_storage *const s = &source->model->storages[storage];
	const uint64_t at = s->offset + offset;
	return source->sequential ? phi_gguf_take_at(&state->cursor, at, dst, n, err)
				  : phi_member_read(state->parts[s->inner], at, dst, n, err);
}

/* The last byte of the last tensor must be there, and what lies before one that is empty; what follows
 * (padding) need not. Reading on to the end spares the writer of the pipe a SIGPIPE. */
static int
finish(struct phi_source *source, struct phi_err *err)
{
	struct state *const state = source->state;
	const struct phi_model *const model = source->model;
	uint8_t last;
	if (!source->sequential)
		return 0;
	if (model->nstorages) {
		const struct phi_storage *const s = &model->storages[model->nstorages - 1];
		const uint64_t end = s->offset + s->size;
		if (end > state->cursor.offset &&
			phi_gguf_take_at(&state->cursor, end - 1, &last, 1, err))
			return -1;
	}
	return phi_gguf_drain(&state->cursor, err);
}

size_t
phi_gguf_parts(const struct phi_source *source)
{
	const struct state *const state = source->state;
	return state->nparts;
}

struct phi_member *
phi_gguf_part(const struct phi_source *source, size_t part)
{
	const struct state *const state = source->state;
	return state->parts[part];
}

static void
close_state(struct phi_source *source)
{
	struct state *const state = source->state;
	phi_gguf_cursor_close(&state->cursor);
	for (size_t i = 0; i < state->nparts; i++)
		phi_member_close(state->parts[i]);
	phi_store_close(state->folder);
	phi_free(state->parts);
	phi_free(state);
}

static const struct phi_source_ops ops = {
	.read = read_bytes,
	.finish = finish,
	.check = phi_gguf_check,
	.layout = phi_gguf_layout,
	.close = close_state,
};

struct phi_source *
phi_gguf_open(struct phi_store *store, const struct phi_open_options *options, struct phi_err *err)
{
	struct phi_source *const source = phi_source_new("gguf", &ops, sizeof(struct state), err);
	if (!source)
		return NULL;
	struct state *const state = source->state;
	struct phi_model *const model = source->model;
	const char *const name = options && options->name ? options->name : phi_store_base(store);
	model->view = "gguf";
	model->name = phi_arena_strdup(model->arena, name, err);
	if (!model->name || describe(state, model, store, err))
		goto fail;
	source->sequential = phi_member_sequential(state->parts[0]);
	return source;
fail:
	phi_source_close(source);
	return NULL;
}
