/* llama.cpp reads only files whose data is dense and in the order of the list. Here any order and
 * any hole is read, and said; an overlap is refused: no writer makes one, and a few bytes could
 * claim to be many tensors. */
#include "formats/gguf/place.h"

#include "formats/core/checked.h"
#include "formats/core/escape.h"
#include "formats/core/swap.h"

#include <inttypes.h>
#include <stdlib.h>

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
	uint64_t end; /* of the last tensor, from the start of the data */
	uint64_t holes; /* bytes between tensors beyond the padding */
	bool misaligned;
};

static int
check_extent(const struct phi_gguf_header *h, const struct phi_gguf_extent *e, struct walk *walk,
	struct phi_err *err)
{
	uint64_t next;
	if (e->offset < walk->end)
		return phi_fail(err, PHI_FORMAT,
			"offset %" PRIu64 " overlaps the tensor before it, which "
			"ends at %" PRIu64,
			e->offset, walk->end);
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
		return phi_fail(err, PHI_TRUNCATED,
			"%" PRIu64 " bytes at offset %" PRIu64
			" end beyond the end of the file (%" PRIu64 ")",
			e->size, start, size);
	return 0;
}

static int
add_storage(struct phi_model *model, const struct phi_gguf_placed *p,
	const struct phi_gguf_extent *e, struct phi_err *err)
{
	const struct phi_gguf_header *const h = p->header;
	const uint32_t index = (uint32_t)model->nstorages;
	struct phi_tensor *const t = &model->tensors[e->tensor];
	struct phi_storage *const s = phi_model_add_storage(model, err);
	if (!s)
		return -1;
	*s = (struct phi_storage){
		.file = p->file, .offset = h->data + e->offset, .size = e->size, .inner = p->part
	};
	t->nplanes = 1;
	t->plane[0] = (struct phi_plane){ .storage = index, .dense = true };
	t->plane[0].swap = h->big && phi_type_swaps(t->type);
	return 0;
}

static int
say_layout(struct phi_model *model, const struct phi_gguf_placed *p, const struct walk *walk,
	bool reordered, struct phi_err *err)
{
	const struct phi_gguf_header *const h = p->header;
	uint64_t end;
	if (reordered && phi_model_warn(model, err,
				 "the data is not in the order of the tensor list; llama.cpp "
				 "refuses this file"))
		return -1;
	if (walk->misaligned &&
		phi_model_warn(model, err,
			"tensors are not aligned to %" PRIu32 " bytes; llama.cpp refuses this file",
			h->alignment))
		return -1;
	if (walk->holes &&
		phi_model_warn(model, err,
			"%" PRIu64
			" bytes between the tensors belong to none; llama.cpp refuses this file",
			walk->holes))
		return -1;
	if (!h->ntensors || !phi_round_up(h->data + walk->end, h->alignment, &end) ||
		p->size == UINT64_MAX || p->size <= end)
		return 0;
	return phi_model_warn(model, err,
		"%" PRIu64 " bytes after the last tensor are not looked at", p->size - end);
}

int
phi_gguf_place(struct phi_model *model, const struct phi_gguf_placed *p, struct phi_err *err)
{
	const struct phi_gguf_header *const h = p->header;
	struct phi_gguf_extent *const e = h->extents;
	struct walk walk = { 0 };
	bool reordered = false;
	for (size_t i = 1; i < h->ntensors; i++)
		reordered |= by_offset(&e[i - 1], &e[i]) > 0;
	if (reordered)
		qsort(e, h->ntensors, sizeof *e, by_offset);
	for (size_t i = 0; i < h->ntensors; i++)
		if (check_extent(h, &e[i], &walk, err) || check_range(h, &e[i], p->size, err) ||
			add_storage(model, p, &e[i], err)) {
			struct phi_quoted q;
			return phi_context(
				err, "tensor %s", phi_quote(&q, model->tensors[e[i].tensor].name));
		}
	return say_layout(model, p, &walk, reordered, err);
}
