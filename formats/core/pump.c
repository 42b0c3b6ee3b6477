#include "formats/core/pump.h"

#include "formats/core/escape.h"
#include "formats/core/field.h"
#include "formats/core/filled.h"
#include "formats/core/gather.h"
#include "formats/core/hold.h"
#include "formats/core/memory.h"
#include "formats/core/relay.h"
#include "formats/core/schedule.h"
#include "formats/core/turned.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

enum { MEMORY_DEFAULT = 64 << 20, STRIP_BYTES = 64 << 10 };

struct pump {
	struct phi_source *source;
	struct phi_sink *sink;
	const struct phi_pump_options *options;
	struct phi_schedule schedule;
	struct phi_hold *hold; /* or NULL: the source is random */
	struct phi_gather *gather; /* or NULL: nobody asked */
	phi_unpack_fn *unpack; /* or NULL */
	pthread_mutex_t progress_lock;
	uint64_t done, total;
};

/* What a worker carries: a chunk before and after converting. */
struct slot {
	uint8_t *in, *out;
	const struct phi_segment *segment;
	uint64_t first, n; /* units of the segment */
	struct phi_columns_held columns;
};

static int
in_tensor(const struct phi_segment *s, struct phi_err *err)
{
	struct phi_quoted q;
	return phi_context(err, "tensor %s", phi_quote(&q, s->item->name));
}

/* Names the file as well as the tensor: what a reader reports is about the input. */
static int
in_source(const struct pump *pump, const struct phi_segment *s, struct phi_err *err)
{
	struct phi_quoted q;
	phi_context(err, "tensor %s", phi_quote(&q, s->from->name));
	return phi_source_blame(pump->source, s->from->plane[0].storage, err);
}

static int
make_buffers(const struct pump *pump, struct slot *slot, struct phi_err *err)
{
	if (slot->in)
		return 0;
	slot->in = phi_alloc(pump->schedule.in_bytes, err);
	slot->out = slot->in ? phi_alloc(pump->schedule.out_bytes, err) : NULL;
	return slot->out ? 0 : -1;
}

/* Numbers of a row as it is read, where rows are filled up. */
static uint64_t
real_row(const struct phi_segment *s)
{
	return s->part->transpose ? s->from->shape[0] : phi_tensor_row(s->from);
}

/* Whole rows. */
static int
read_filled(struct pump *pump, struct slot *slot, struct phi_err *err)
{
	const struct phi_segment *const s = slot->segment;
	const uint64_t row = s->part->filled, real = real_row(s), rows = slot->n / row;
	if (phi_tensor_load(pump->source, s->from, pump->unpack, s->part->transpose,
		    (s->first + slot->first) / row * real, rows * real, slot->in, err) < 0)
		return -1;
	phi_filled_spread(slot->in, s->type->bytes, real, row, rows);
	return 0;
}

static int
pump_read(void *ctx, uint64_t ticket, void *carried, struct phi_err *err)
{
	struct pump *const pump = ctx;
	struct slot *const slot = carried;
	const struct phi_segment *const s = phi_schedule_find(&pump->schedule, ticket);
	slot->segment = s;
	slot->first = (ticket - s->ticket) * s->chunk;
	slot->n = s->units - slot->first < s->chunk ? s->units - slot->first : s->chunk;
	if (make_buffers(pump, slot, err) < 0)
		return -1;
	if (!s->from)
		return 0;
	const int result = s->part->filled ? read_filled(pump, slot, err) : pump->hold ?
		phi_hold_read(pump->hold, s, slot->first, slot->n, slot->in, err) :
		phi_tensor_load(pump->source, s->from, pump->unpack, s->part->transpose,
			s->first + slot->first, slot->n, slot->in, err);
	return result < 0 ? in_source(pump, s, err) : 0;
}

/* The matrix that element `first` of a segment lies in, of a stack of experts; *n is cut to where it ends: each expert
 * has its own importance. */
static uint64_t
matrix_at(const struct phi_segment *s, uint64_t first, uint64_t *n)
{
	const struct phi_tensor *const t = s->tensor;
	uint64_t all;
	if (t->rank < 3)
		return 0;
	phi_tensor_elements(t, &all); /* fits: phi_model_check saw it */
	const uint64_t each = all / t->shape[0];
	const uint64_t place = s->offset / t->type->bytes * t->type->elements + first;
	const uint64_t left = each - place % each;
	*n = *n < left ? *n : left;
	return place / each;
}

/* The importance of *n elements from `first` on, or fewer, which *n then says; NULL: they have none. */
static int
load_importance(struct slot *slot, uint64_t first, uint64_t *n, const float **out, struct phi_err *err)
{
	const struct phi_segment *const s = slot->segment;
	*out = NULL;
	if (!s->weighted)
		return 0;
	const uint64_t row = phi_tensor_row(s->tensor);
	*out = phi_columns_at(&slot->columns, s->tensor->importance, matrix_at(s, first, n) * row, row, err);
	return *out ? 0 : -1;
}

static uint64_t
bytes_of(const struct phi_type *type, uint64_t n)
{
	return n / type->elements * type->bytes;
}

/* Elements [i, i + n) of a slot. */
static int
convert_part(const struct pump *pump, const struct slot *slot, uint64_t i, uint64_t n, const float *importance,
	struct phi_err *err)
{
	const struct phi_segment *const s = slot->segment;
	uint64_t bad = 0;
	if (s->scale) {
		s->scale(s->tensor->scaling, (const float *)(const void *)slot->in + i,
			slot->out + bytes_of(s->tensor->type, i), slot->first + i, n);
		return 0;
	}
	if (s->convert.run(&s->convert, slot->in + bytes_of(s->type, i), slot->out + bytes_of(s->tensor->type, i), n,
		    phi_tensor_row(s->tensor), importance, pump->options->overflow, &bad) == 0)
		return 0;
	const uint64_t at = s->first + slot->first + i + bad, block = at / s->type->elements;
	if (s->convert.fault)
		phi_fail(err, PHI_UNSUPPORTED, "block %" PRIu64 " of %s (from element %" PRIu64 ") %s %s", block,
			s->type->name, block * s->type->elements, s->convert.fault, s->tensor->type->name);
	else
		phi_fail(err, PHI_UNSUPPORTED,
			"element %" PRIu64 " is not finite, or too large for %s (see --on-overflow)", at,
			s->tensor->type->name);
	return in_source(pump, s, err);
}

/* Converts a slot, and measures what that lost if asked to. */
static int
convert(const struct pump *pump, uint64_t ticket, struct slot *slot, struct phi_err *err)
{
	const struct phi_segment *const s = slot->segment;
	const float *importance;
	uint64_t n;
	for (uint64_t i = 0; i < slot->n; i += n) {
		n = slot->n - i;
		if (load_importance(slot, slot->first + i, &n, &importance, err) < 0 ||
			convert_part(pump, slot, i, n, importance, err) < 0)
			return -1;
		if (pump->gather && !(s->apart && s->item->field))
			phi_gather_take(pump->gather, s, ticket, slot->in + bytes_of(s->type, i),
				slot->out + bytes_of(s->tensor->type, i), n, importance);
	}
	return 0;
}

static int
pump_work(void *ctx, uint64_t ticket, void *carried, struct phi_err *err)
{
	struct pump *const pump = ctx;
	struct slot *const slot = carried;
	const struct phi_segment *const s = slot->segment;
	switch (s->part->kind) {
	case PHI_PART_LITERAL:
		memcpy(slot->in, (const uint8_t *)s->part->literal + slot->first, (size_t)slot->n);
		return 0;
	case PHI_PART_GENERATE:
		s->part->generate(s->part->state, slot->first, slot->in, (size_t)slot->n);
		return 0;
	case PHI_PART_TENSOR:
		break;
	}
	const int result = s->type == s->tensor->type ? 0 : convert(pump, ticket, slot, err);
	if (!result && s->part->clear)
		phi_filled_clear(s->tensor->type, real_row(s), slot->out, slot->n / s->part->filled);
	return result;
}

static void
report(struct pump *pump, uint64_t bytes)
{
	if (!pump->options->progress)
		return;
	pthread_mutex_lock(&pump->progress_lock);
	pump->done += bytes;
	pump->options->progress(pump->options->progress_ctx, pump->done, pump->total);
	pthread_mutex_unlock(&pump->progress_lock);
}

/* Field f of n bytes of blocks, the first of which is block number `first` of the tensor. */
static int
write_field(struct pump *pump, const struct phi_segment *s, unsigned f, uint64_t first, const uint8_t *blocks,
	uint64_t n, struct phi_err *err)
{
	uint8_t strip[STRIP_BYTES];
	const struct phi_item *const item = &pump->sink->plan->items[s->torn[f]];
	struct phi_field field;
	phi_field_of(s->tensor, f, &field); /* it is there: it was planned */
	const uint64_t end = first + n / field.pitch;
	for (uint64_t run; first < end; first += run, blocks += run * field.pitch) {
		size_t bytes;
		run = phi_field_run(&field, first, end - first, STRIP_BYTES / field.width);
		const uint64_t at = phi_field_place(&field, first, run, &bytes);
		phi_field_tear(&field, first, run, blocks, strip);
		if (pump->sink->ops->data(pump->sink, item, at, strip, bytes, err) < 0)
			return -1;
	}
	return 0;
}

/* The same of whole rows, with the plane turned: what is next to each other there goes out at once. */
static int
write_turned(struct pump *pump, const struct phi_segment *s, unsigned f, uint64_t first, const uint8_t *blocks,
	uint64_t n, struct phi_err *err)
{
	uint8_t strip[STRIP_BYTES];
	const struct phi_item *const item = &pump->sink->plan->items[s->torn[f]];
	struct phi_turned t;
	phi_turned_of(s->tensor, f, item->sign, &t); /* it is there: it was planned */
	const uint64_t row = t.blocks * t.pitch, most = STRIP_BYTES * 8 / t.bits / PHI_TURNED_ROWS * PHI_TURNED_ROWS;
	const uint64_t rows = n / row;
	for (uint64_t from = 0, run; from < rows; from += run) {
		run = rows - from < most ? rows - from : most;
		const size_t bytes = (size_t)(run * t.bits / 8);
		const uint64_t together = run == t.rows ? STRIP_BYTES / bytes : 1;
		for (uint64_t c = 0, k; c < t.places; c += k) {
			k = t.places - c < together ? t.places - c : together;
			for (uint64_t i = 0; i < k; i++)
				phi_turned_take(&t, c + i, run, blocks + from * row, strip + i * bytes);
			if (pump->sink->ops->data(pump->sink, item, phi_turned_place(&t, c, first / t.blocks + from), strip,
				    (size_t)k * bytes, err) < 0)
				return -1;
		}
	}
	return 0;
}

/* n bytes of an item, or of blocks that are torn: n is a multiple of the block then. */
static int
write_bytes(struct pump *pump, const struct phi_segment *s, uint64_t offset, const uint8_t *src, uint64_t n,
	struct phi_err *err)
{
	const struct phi_type *const type = s->tensor->type;
	if (!s->torn)
		return pump->sink->ops->data(pump->sink, s->item, offset, src, (size_t)n, err);
	for (unsigned f = 0; f < phi_type_nfields(type); f++)
		if ((!s->apart || f == s->item->field) && (s->item->turned ? write_turned : write_field)(pump, s, f, offset / type->bytes, src, n, err) < 0)
			return -1;
	return 0;
}

static int
pump_write(void *ctx, uint64_t ticket, void *carried, struct phi_err *err)
{
	struct pump *const pump = ctx;
	const struct slot *const slot = carried;
	const struct phi_segment *const s = slot->segment;
	const struct phi_type *const type = s->tensor->type;
	const bool converted = s->from && s->type != type;
	(void)ticket;
	uint64_t at = slot->first, n = slot->n;
	if (s->from) {
		at = bytes_of(type, at);
		n = bytes_of(type, n);
	}
	if (write_bytes(pump, s, s->offset + at, converted ? slot->out : slot->in, n, err) < 0)
		return in_tensor(s, err);
	report(pump, s->apart && s->item->field ? 0 : n);
	return 0;
}

static void
pump_drop(void *ctx, void *carried)
{
	struct slot *const slot = carried;
	(void)ctx;
	phi_free(slot->in);
	phi_free(slot->out);
	phi_columns_drop(&slot->columns);
}

static uint64_t
slot_bytes(const struct phi_schedule *schedule)
{
	return (uint64_t)schedule->in_bytes + schedule->out_bytes + schedule->columns_bytes + sizeof(struct slot);
}

/* As many workers as asked for, as long as what they carry fits the memory; at least one. */
static unsigned
jobs_that_fit(const struct phi_schedule *schedule, const struct phi_pump_options *options)
{
	const uint64_t each = slot_bytes(schedule);
	const uint64_t memory = options->memory ? options->memory : MEMORY_DEFAULT;
	const unsigned jobs = options->jobs ? options->jobs : phi_relay_cpus();
	const uint64_t fit = memory / 2 / each;
	return fit == 0 ? 1 : fit < jobs ? (unsigned)fit : jobs;
}

int
phi_plan_measure(struct phi_plan *plan, const struct phi_source *source,
	const struct phi_pump_options *options, struct phi_err *err)
{
	struct phi_schedule schedule;
	if (phi_schedule_make(&schedule, plan, options->converters,
		    source->sequential ? PHI_BY_ARRIVAL : PHI_BY_ITEM, err) < 0)
		return -1;
	plan->memory = jobs_that_fit(&schedule, options) * slot_bytes(&schedule);
	phi_schedule_free(&schedule);
	return 0;
}

/* A plan may be printed that lacks importance; it does not run. */
static int
check_importance(const struct phi_schedule *schedule, struct phi_err *err)
{
	for (size_t i = 0; i < schedule->nsegments; i++) {
		const struct phi_segment *const s = &schedule->segments[i];
		if (s->from && s->type != s->tensor->type && !s->tensor->importance &&
			s->convert.importance == PHI_IMPORTANCE_NEEDED) {
			phi_fail(err, PHI_UNSUPPORTED, "%s is not made without importance",
				s->tensor->type->name);
			return in_tensor(s, err);
		}
	}
	return 0;
}

static int
schedule_again(struct pump *pump, enum phi_schedule_order order, struct phi_err *err)
{
	phi_schedule_free(&pump->schedule);
	if (phi_schedule_make(&pump->schedule, pump->sink->plan, pump->options->converters, order,
		    err) < 0)
		return -1;
	return check_importance(&pump->schedule, err);
}

/* A pipe is read in its order if the sink allows; where it does not, what arrives early is held, or
 * everything is spooled if that would be too much. */
static int
prepare(struct pump *pump, bool sink_sequential, struct phi_err *err)
{
	struct phi_source *const source = pump->source;
	const uint64_t memory = pump->options->memory ? pump->options->memory : MEMORY_DEFAULT;
	const enum phi_schedule_order order = sink_sequential ? PHI_BY_FIELD : PHI_BY_ITEM;
	if (schedule_again(pump, source->sequential && !sink_sequential ? PHI_BY_ARRIVAL : order, err) < 0)
		return -1;
	if (!source->sequential)
		return 0;
	if (!pump->schedule.strided) {
		pump->hold = phi_hold_new(&pump->schedule, source, err);
		if (!pump->hold)
			return -1;
		if (phi_hold_peak(pump->hold) <= memory / 2)
			return 0;
		phi_hold_free(pump->hold);
		pump->hold = NULL;
	}
	if (phi_source_settle(source, pump->options->spool, err) < 0)
		return -1;
	return schedule_again(pump, order, err);
}

static int
run(struct pump *pump, struct phi_err *err)
{
	struct phi_sink *const sink = pump->sink;
	if (sink->ops->begin(sink, err) < 0)
		return -1;
	const bool ordered = sink->ops->sequential(sink);
	if (prepare(pump, ordered, err) < 0)
		return -1;
	if (pump->options->losses) {
		pump->gather = phi_gather_new(&pump->schedule, pump->options->converters, err);
		if (!pump->gather)
			return -1;
	}
	const struct phi_relay relay = {
		.ctx = pump,
		.tickets = pump->schedule.tickets,
		.slot_size = sizeof(struct slot),
		.read = pump_read,
		.work = pump_work,
		.write = pump_write,
		.drop = pump_drop,
		.ordered_read = pump->hold != NULL,
		.ordered_write = ordered,
	};
	if (phi_relay_run(&relay, jobs_that_fit(&pump->schedule, pump->options), err) < 0 ||
		phi_source_finish(pump->source, err) < 0)
		return -1;
	if (pump->gather)
		phi_gather_sum(pump->gather, pump->options->losses);
	return phi_sink_end(sink, err);
}

int
phi_pump(struct phi_source *source, struct phi_sink *sink, const struct phi_pump_options *options,
	struct phi_err *err)
{
	struct pump pump = { .source = source, .sink = sink, .options = options,
		.unpack = options->converters ? options->converters->unpack : NULL,
		.total = phi_plan_bytes(sink->plan) };
	pthread_mutex_init(&pump.progress_lock, NULL);
	const int result = run(&pump, err);
	pthread_mutex_destroy(&pump.progress_lock);
	phi_gather_free(pump.gather);
	phi_hold_free(pump.hold);
	phi_schedule_free(&pump.schedule);
	return result;
}
