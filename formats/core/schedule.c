#include "formats/core/schedule.h"

#include "formats/core/escape.h"
#include "formats/core/field.h"
#include "formats/core/memory.h"
#include "formats/core/turned.h"

#include <stdlib.h>

/* A transposed part reads a run of `rows` elements for each column, so it takes more rows at a time:
 * 4 MiB make runs of some hundred bytes for the matrices of a model. */
enum { STRIDED_BYTES = 4 << 20, PACKED_ROWS = 32 };

static uint64_t
units_for(uint64_t bytes, const struct phi_type *from, const struct phi_type *to)
{
	/* Blocks are powers of two, but for the 3-byte ones, whose elements are: the larger of two
	 * blocks is a multiple of both. */
	const unsigned block = from->elements > to->elements ? from->elements : to->elements;
	const uint64_t a = bytes / from->bytes * from->elements;
	const uint64_t b = bytes / to->bytes * to->elements;
	const uint64_t n = a < b ? a : b;
	return n < block ? block : n - n % block;
}

static size_t
bytes_of(const struct phi_type *type, uint64_t units)
{
	return (size_t)(units / type->elements * type->bytes);
}

static bool
is_strided(const struct phi_segment *s)
{
	return s->part->transpose || s->part->filled || !s->from->plane[0].dense ||
		s->from->type->class == PHI_CLASS_PACKED;
}

/* Packed tensors are decoded by whole rows, in multiples of what a word of codes holds. (A flat packing's
 * rows are its own: where they are no whole blocks, they are decoded in part.) */
static uint64_t
packed_units(const struct phi_segment *s, uint64_t units)
{
	const uint64_t row = s->from->packed->columns, rows = units / row;
	if (row % s->tensor->type->elements)
		return units;
	return rows < 2 ? row : (rows < PACKED_ROWS ? rows : rows - rows % PACKED_ROWS) * row;
}

/* Importance is a row's: chunks are whole rows then. */
static void
set_importance(struct phi_segment *s)
{
	const uint64_t row = phi_tensor_row(s->tensor);
	if (s->convert.importance == PHI_IMPORTANCE_NONE || !s->tensor->importance)
		return;
	s->weighted = true;
	s->chunk = s->chunk < row ? row : s->chunk - s->chunk % row;
}

/* Chunks of torn blocks end where bytes of all planes do. */
static void
set_fields(struct phi_segment *s)
{
	const struct phi_type *const type = s->tensor->type;
	struct phi_field field;
	for (unsigned i = 0; s->torn && i < phi_type_nfields(type); i++)
		if (phi_field_of(s->tensor, i, &field))
			s->chunk = phi_field_step(&field, s->chunk / type->elements) * type->elements;
	/* A turned plane is written a place of all rows at a time: by eights of whole rows. */
	if (s->torn && s->item->turned) {
		const uint64_t row = phi_tensor_row(s->tensor);
		const uint64_t rows = units_for(STRIDED_BYTES, s->type, type) / row;
		s->chunk = row * (rows < PHI_TURNED_ROWS ? PHI_TURNED_ROWS : rows - rows % PHI_TURNED_ROWS);
	}
	if (s->chunk % s->type->elements) /* eight blocks, but no whole one of the source's */
		s->chunk = phi_tensor_row(s->tensor);
}

static int
set_scaling(struct phi_segment *s, const struct phi_converters *converters, struct phi_err *err)
{
	if (!converters || !converters->scale)
		return phi_fail(err, PHI_UNSUPPORTED, "%s of one scale is not made so", s->tensor->type->name);
	if (s->type->id != PHI_F32 || s->tensor->nparts != 1)
		return phi_fail(err, PHI_UNSUPPORTED, "only a whole tensor of F32 is scaled");
	s->scale = converters->scale;
	return 0;
}

/* A part that is a tensor: which elements, how they are converted, how large a chunk is. */
static int
set_tensor(struct phi_segment *s, const struct phi_model *origin,
	const struct phi_converters *converters, struct phi_err *err)
{
	s->from = s->part->view ? s->part->view : &origin->tensors[s->part->tensor];
	s->type = phi_type_read(s->from->type);
	uint64_t n;
	phi_tensor_elements(s->from, &n); /* fits: phi_model_check saw it */
	const uint64_t rows = s->from->rank ? s->from->shape[s->part->transpose ? 1 : 0] : 1;
	const uint64_t row = s->part->filled ? s->part->filled : rows ? n / rows : 0;
	if (s->part->row > rows || s->part->rows > rows - s->part->row)
		return phi_fail(err, PHI_ARGUMENT, "rows beyond the end of a tensor");
	s->first = s->part->row * row;
	s->units = s->part->rows * row;
	s->chunk = units_for(is_strided(s) ? STRIDED_BYTES : PHI_CHUNK_BYTES, s->type, s->tensor->type);
	if (s->from->type->class == PHI_CLASS_PACKED) {
		if (!converters || !converters->unpack || s->part->transpose)
			return phi_fail(err, PHI_UNSUPPORTED, "%s cannot be %s", s->from->type->name,
				s->part->transpose ? "transposed" : "decoded");
		s->chunk = packed_units(s, s->chunk);
	}
	set_fields(s);
	if (s->part->filled)
		s->chunk = s->chunk < row ? row : s->chunk - s->chunk % row;
	if (s->type == s->tensor->type)
		return 0;
	if (phi_tensor_is_scaled(s->tensor))
		return set_scaling(s, converters, err);
	if (!converters)
		return phi_fail(err, PHI_ARGUMENT, "%s to %s: no conversions were given",
			s->type->name, s->tensor->type->name);
	if (converters->find(s->type, s->tensor->type, &s->convert, err) < 0)
		return -1;
	s->convert.nonzero = s->tensor->nonzero;
	set_importance(s);
	return 0;
}

static void
note_sizes(struct phi_schedule *schedule, const struct phi_segment *s)
{
	const uint64_t most = s->units < s->chunk ? s->units : s->chunk;
	const size_t in = s->from ? bytes_of(s->type, most) : (size_t)most;
	const size_t out =
		s->from && s->type != s->tensor->type ? bytes_of(s->tensor->type, most) : 0;
	if (schedule->in_bytes < in)
		schedule->in_bytes = in;
	if (schedule->out_bytes < out)
		schedule->out_bytes = out;
	const size_t columns = s->weighted ? phi_tensor_row(s->tensor) * sizeof(float) : 0;
	if (schedule->columns_bytes < columns)
		schedule->columns_bytes = columns;
	if (s->from && (is_strided(s) || s->apart))
		schedule->strided = true;
}

static uint64_t
segment_bytes(const struct phi_segment *s)
{
	return s->from ? bytes_of(s->tensor->type, s->units) : s->units;
}

/* The items of a tensor's fields are made together, with the first. */
static int
add_item(struct phi_schedule *schedule, const struct phi_plan *plan, const struct phi_item *item,
	const struct phi_converters *converters, bool apart, struct phi_err *err)
{
	const struct phi_tensor *const t = &plan->model->tensors[item->tensor];
	const bool here = apart || !item->field;
	const size_t *const torn = plan->torn ? plan->torn[item->tensor] : NULL;
	const uint64_t size = torn ? plan->bytes[item->tensor] : item->size;
	uint64_t offset = 0;
	for (unsigned i = 0; i < t->nparts && here; i++) {
		struct phi_segment s = { .item = item, .torn = torn, .apart = torn && apart, .tensor = t, .part = &t->parts[i],
			.offset = offset, .chunk = PHI_CHUNK_BYTES };
		if (s.part->kind != PHI_PART_TENSOR)
			s.units = s.part->size;
		else if (set_tensor(&s, plan->model->origin, converters, err) < 0)
			return -1;
		offset += segment_bytes(&s);
		note_sizes(schedule, &s);
		if (s.units == 0)
			continue;
		if (phi_grow(&schedule->segments, &schedule->capacity, schedule->nsegments,
			    sizeof s, err) < 0)
			return -1;
		schedule->segments[schedule->nsegments++] = s;
	}
	if (offset != size && here)
		return phi_fail(err, PHI_ARGUMENT, "its parts make %llu bytes, planned are %llu",
			(unsigned long long)offset, (unsigned long long)size);
	return 0;
}

/* Storage, then place in it, then place in the plan: literals come first, equal reads stay together. */
static int
by_arrival_order(const void *pa, const void *pb)
{
	const struct phi_segment *const a = pa, *const b = pb;
	if (!a->from != !b->from)
		return a->from ? 1 : -1;
	if (a->from) {
		const struct phi_plane *const x = &a->from->plane[0], *const y = &b->from->plane[0];
		if (x->storage != y->storage)
			return x->storage < y->storage ? -1 : 1;
		if (x->offset != y->offset)
			return x->offset < y->offset ? -1 : 1;
		if (a->first != b->first)
			return a->first < b->first ? -1 : 1;
	}
	if (a->item != b->item)
		return a->item < b->item ? -1 : 1;
	return a->part < b->part ? -1 : a->part > b->part;
}

int
phi_schedule_make(struct phi_schedule *schedule, const struct phi_plan *plan,
	const struct phi_converters *converters, enum phi_schedule_order order, struct phi_err *err)
{
	*schedule = (struct phi_schedule){ 0 };
	for (size_t i = 0; i < plan->nitems; i++) {
		const struct phi_item *const item = &plan->items[i];
		struct phi_quoted q;
		if (item->tensor == PHI_NONE || item->making == PHI_MAKE_ALIAS)
			continue;
		if (add_item(schedule, plan, item, converters, order == PHI_BY_FIELD, err) < 0) {
			phi_schedule_free(schedule);
			return phi_context(err, "tensor %s", phi_quote(&q, item->name));
		}
	}
	if (order == PHI_BY_ARRIVAL && schedule->nsegments)
		qsort(schedule->segments, schedule->nsegments, sizeof *schedule->segments,
			by_arrival_order);
	for (size_t i = 0; i < schedule->nsegments; i++) {
		struct phi_segment *const s = &schedule->segments[i];
		s->ticket = schedule->tickets;
		schedule->tickets += (s->units + s->chunk - 1) / s->chunk;
	}
	return 0;
}

void
phi_schedule_free(struct phi_schedule *schedule)
{
	phi_free(schedule->segments);
	*schedule = (struct phi_schedule){ 0 };
}

const struct phi_segment *
phi_schedule_find(const struct phi_schedule *schedule, uint64_t ticket)
{
	size_t low = 0, high = schedule->nsegments;
	while (high - low > 1) {
		const size_t middle = low + (high - low) / 2;
		if (schedule->segments[middle].ticket <= ticket)
			low = middle;
		else
			high = middle;
	}
	return &schedule->segments[low];
}
