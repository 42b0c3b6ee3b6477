/* The source: a header, then one storage a tensor, in rising offset. llama.cpp reads only files whose
 * data is dense and in the order of the list; here any order and any hole is read, and said; an overlap
 * is refused: no writer makes one, and a few bytes could claim to be many tensors. */
#include "formats/core/checked.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/gguf/gguf.h"
#include "formats/gguf/header.h"

#include <inttypes.h>
#include <stdlib.h>

struct state {
	struct phi_member *member;
	struct phi_gguf_cursor cursor;
};

static int
by_offset(const void *a, const void *b)
{
	const struct phi_gguf_extent *const x = a, *const y = b;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	if (x->size != y->size)
		return x->size < y->size ? -1 : 1;
	return x->tensor < y->tensor ? -1 : x->tensor > y->tensor;
}

/* What the walk over the extents, in rising offset, saw. */
struct walk {
	uint64_t end;	/* of the last tensor, from the start of the data */
	uint64_t holes; /* bytes between tensors beyond the padding */
	bool misaligned;
};

static int
check_extent(const struct phi_gguf_header *h, const struct phi_gguf_extent *e, struct walk *walk,
	struct phi_err *err)
{
	uint64_t next;
	if (e->offset < walk->end)
		return phi_fail(err, PHI_FORMAT, "offset %" PRIu64 " overlaps the tensor before it, which "
			"ends at %" PRIu64, e->offset, walk->end);
	if (!phi_round_up(walk->end, h->alignment, &next))
		next = walk->end;
	if (e->offset > next)
		walk->holes += e->offset - next;
	walk->misaligned |= e->offset % h->alignment != 0;
	walk->end = e->offset + e->size; /* checked not to wrap by the header */
	return 0;
}

/* A range that ends beyond the file is a file cut short. */
static int
check_range(const struct phi_gguf_header *h, const struct phi_gguf_extent *e, uint64_t size,
	struct phi_err *err)
{
	uint64_t start;
	if (!phi_add(h->data, e->offset, &start) || start > UINT64_MAX - e->size)
		return phi_fail(err, PHI_FORMAT, "offset %" PRIu64 " is beyond what 64 bits count",
			e->offset);
	if (size != UINT64_MAX && !phi_fits(start, e->size, size))
		return phi_fail(err, PHI_TRUNCATED, "%" PRIu64 " bytes at offset %" PRIu64
			" end beyond the end of the file (%" PRIu64 ")", e->size, start, size);
	return 0;
}

static int
add_storage(struct phi_model *model, const char *file, const struct phi_gguf_header *h,
	const struct phi_gguf_extent *e, struct phi_err *err)
{
	const uint32_t index = (uint32_t)model->nstorages;
	struct phi_tensor *const t = &model->tensors[e->tensor];
	struct phi_storage *const s = phi_model_add_storage(model, err);
	if (!s)
		return -1;
	*s = (struct phi_storage){ .file = file, .offset = h->data + e->offset, .size = e->size };
	t->nplanes = 1;
	t->plane[0] = (struct phi_plane){ .storage = index, .dense = true };
	t->plane[0].swap = h->big && t->type->bytes > 1;
	return 0;
}

static int
say_layout(struct phi_model *model, const struct phi_gguf_header *h, const struct walk *walk,
	bool reordered, uint64_t size, struct phi_err *err)
{
	uint64_t end;
	if (reordered && phi_model_warn(model, err, "the data is not in the order of the tensor list; "
		"llama.cpp refuses this file"))
		return -1;
	if (walk->misaligned && phi_model_warn(model, err, "tensors are not aligned to %" PRIu32
		" bytes; llama.cpp refuses this file", h->alignment))
		return -1;
	if (walk->holes && phi_model_warn(model, err, "%" PRIu64 " bytes between the tensors belong to "
		"none; llama.cpp refuses this file", walk->holes))
		return -1;
	if (!model->ntensors || !phi_round_up(h->data + walk->end, h->alignment, &end) ||
		size == UINT64_MAX || size <= end)
		return 0;
	return phi_model_warn(model, err, "%" PRIu64 " bytes after the last tensor are not looked at",
		size - end);
}

static int
place_tensors(struct phi_model *model, const char *file, const struct phi_gguf_header *h,
	uint64_t size, struct phi_err *err)
{
	struct phi_gguf_extent *const e = h->extents;
	struct walk walk = { 0 };
	bool reordered = false;
	for (size_t i = 1; i < model->ntensors; i++)
		reordered |= by_offset(&e[i - 1], &e[i]) > 0;
	if (reordered)
		qsort(e, model->ntensors, sizeof *e, by_offset);
	for (size_t i = 0; i < model->ntensors; i++)
		if (check_extent(h, &e[i], &walk, err) || check_range(h, &e[i], size, err) ||
			add_storage(model, file, h, &e[i], err)) {
			struct phi_quoted q;
			return phi_context(err, "tensor %s", phi_quote(&q, model->tensors[e[i].tensor].name));
		}
	return say_layout(model, h, &walk, reordered, size, err);
}

static int
describe(struct state *state, struct phi_model *model, struct phi_err *err)
{
	struct phi_gguf_header header;
	if (phi_gguf_cursor_open(&state->cursor, state->member, err))
		return -1;
	const char *const file = phi_arena_strdup(model->arena, phi_member_name(state->member), err);
	if (!file)
		return -1;
	int result = phi_gguf_read_header(&state->cursor, model, &header, err);
	if (!result)
		result = place_tensors(model, file, &header, phi_member_size(state->member), err);
	phi_free(header.extents);
	if (!phi_member_sequential(state->member))
		phi_gguf_cursor_close(&state->cursor);
	return result;
}

static int
read_bytes(struct phi_source *source, uint32_t storage, uint64_t offset, void *dst, size_t n,
	struct phi_err *err)
{
	struct state *const state = source->state;
	const uint64_t at = source->model->storages[storage].offset + offset;
	return source->sequential ? phi_gguf_take_at(&state->cursor, at, dst, n, err)
				  : phi_member_read(state->member, at, dst, n, err);
}

/* The last byte of the last tensor must be there; what follows (padding) need not. Reading on to the end
 * spares the writer of the pipe a SIGPIPE. */
static int
finish(struct phi_source *source, struct phi_err *err)
{
	struct state *const state = source->state;
	const struct phi_model *const model = source->model;
	uint8_t last;
	if (!source->sequential)
		return 0;
	for (size_t i = model->nstorages; i-- > 0;) {
		const struct phi_storage *const s = &model->storages[i];
		if (!s->size)
			continue;
		if (s->offset + s->size > state->cursor.offset &&
			phi_gguf_take_at(&state->cursor, s->offset + s->size - 1, &last, 1, err))
			return -1;
		break;
	}
	return phi_gguf_drain(&state->cursor, err);
}

static void
close_state(struct phi_source *source)
{
	struct state *const state = source->state;
	if (!state)
		return;
	phi_gguf_cursor_close(&state->cursor);
	phi_member_close(state->member);
	phi_free(state);
}

static const struct phi_source_ops ops = {
	.read = read_bytes,
	.finish = finish,
	.close = close_state,
};

struct phi_source *
phi_gguf_open(struct phi_store *store, const struct phi_open_options *options, struct phi_err *err)
{
	struct phi_source *const source = phi_source_new("gguf", &ops, err);
	struct state *const state = source ? phi_calloc(1, sizeof *state, err) : NULL;
	if (!state)
		goto fail;
	source->state = state;
	state->member = phi_store_member(store, NULL, err);
	if (!state->member)
		goto fail;
	struct phi_model *const model = source->model;
	const char *const name = options && options->name ? options->name : phi_store_base(store);
	source->sequential = phi_member_sequential(state->member);
	model->view = "gguf";
	model->name = phi_arena_strdup(model->arena, name, err);
	if (!model->name || describe(state, model, err))
		goto fail;
	return source;
fail:
	phi_source_close(source);
	return NULL;
}
