/* A stack of messages, not a recursion; the tables are those that protobuf-c generated of onnx.proto. */
#include "formats/onnx/scan.h"

#include "formats/core/checked.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/core/names.h"
#include "formats/onnx/found.h"
#include "formats/onnx/onnx.pb-c.h"

#include <inttypes.h>
#include <stdlib.h>

typedef ProtobufCMessageDescriptor message_kind;
typedef ProtobufCFieldDescriptor field_kind;

struct frame {
	const message_kind *kind;
	uint64_t length, at, end; /* where its length stands, its content, its end */
	uint32_t seen;		  /* fields that may come once, by their index */
	int64_t grown;		  /* bytes that edits within add */
	size_t edits;		  /* how many there were when it began */
	unsigned field;		  /* of its parent */
};

struct scanner {
	struct phi_wire_file *file;
	phi_onnx_tensor_fn *tensor;
	void *ctx;
	struct phi_onnx_edits *edits;
	struct phi_onnx_found found; /* the tensor we are in */
	size_t messages, fields, unknown;
	unsigned depth;
	struct frame frames[PHI_ONNX_DEPTH_MAX];
};

/* Edits */

void
phi_onnx_edits_free(struct phi_onnx_edits *edits)
{
	phi_free(edits->items);
	*edits = (struct phi_onnx_edits){ 0 };
}

static struct phi_onnx_edit *
add_edit(struct phi_onnx_edits *edits, uint64_t at, uint64_t removed, struct phi_err *err)
{
	if (phi_grow(&edits->items, &edits->capacity, edits->count, sizeof *edits->items, err) < 0)
		return NULL;
	struct phi_onnx_edit *const e = &edits->items[edits->count];
	*e = (struct phi_onnx_edit){ .at = at, .removed = removed, .order = edits->count,
		.change.weight = PHI_NONE };
	edits->count++;
	return e;
}

/* Takes a field out; neighbours become one edit. */
static int
cut(struct scanner *s, const struct phi_wire_place *p, struct phi_err *err)
{
	struct phi_onnx_edits *const edits = s->edits;
	struct phi_onnx_edit *const last =
		edits->count > s->frames[s->depth - 1].edits ? &edits->items[edits->count - 1] : NULL;
	if (last && last->at + last->removed == p->key) {
		last->removed += p->end - p->key;
		return 0;
	}
	return add_edit(edits, p->key, p->end - p->key, err) ? 0 : -1;
}

static unsigned
put_varint(uint8_t *dst, uint64_t v)
{
	unsigned n = 0;
	for (; v > 0x7f; v >>= 7)
		dst[n++] = (uint8_t)(v | 0x80);
	dst[n++] = (uint8_t)v;
	return n;
}

static int
compare_edits(const void *a, const void *b)
{
	const struct phi_onnx_edit *const x = a, *const y = b;
	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Messages */

static enum phi_onnx_place
place_of(const struct scanner *s)
{
	const struct frame *const in = s->depth > 1 ? &s->frames[s->depth - 2] : NULL;
	const unsigned field = s->frames[s->depth - 1].field;
	if (in && in->kind == &phi_onnx__graph__descriptor)
		return PHI_ONNX_INITIALIZER;
	if (in && in->kind == &phi_onnx__sparse_tensor__descriptor &&
		s->frames[s->depth - 3].kind == &phi_onnx__graph__descriptor)
		return PHI_ONNX_SPARSE;
	return in && in->kind == &phi_onnx__attribute__descriptor && field == 5 ? PHI_ONNX_ATTRIBUTE
										: PHI_ONNX_ELSEWHERE;
}

static int
enter(struct scanner *s, const field_kind *f, const struct phi_wire_place *p, struct phi_err *err)
{
	if (s->depth == PHI_ONNX_DEPTH_MAX)
		return phi_fail(err, PHI_LIMIT, "offset %" PRIu64 ": more than %d messages within each other",
			p->key, PHI_ONNX_DEPTH_MAX);
	if (s->messages++ == PHI_ONNX_MESSAGES_MAX)
		return phi_fail(err, PHI_LIMIT, "more than %d messages, the limit", PHI_ONNX_MESSAGES_MAX);
	s->frames[s->depth++] = (struct frame){ .kind = f->descriptor, .length = p->body, .at = p->at,
		.end = p->end, .edits = s->edits->count, .field = f->id };
	if (f->descriptor == &phi_onnx__tensor__descriptor) {
		s->found = (struct phi_onnx_found){ .at = p->at, .end = p->end };
		s->found.place = place_of(s);
	}
	return 0;
}

static int
leave_tensor(struct scanner *s, struct frame *frame, struct phi_err *err)
{
	struct phi_onnx_change change = { .weight = PHI_NONE };
	const int taken = s->tensor ? s->tensor(s->ctx, &s->found, &change, err) : 0;
	if (taken < 0) {
		struct phi_quoted q;
		return s->found.name[0] ? phi_context(err, "tensor %s", phi_quote(&q, s->found.name))
					: phi_context(err, "tensor at offset %" PRIu64, s->found.at);
	}
	if (!taken) {
		s->edits->count = frame->edits;
		s->fields += s->found.typed_fields;
		return 0;
	}
	/* In the place of the first field that goes, so that what was there comes back as it was. */
	if (s->edits->count == frame->edits && !add_edit(s->edits, frame->end, 0, err))
		return -1;
	s->edits->items[frame->edits].change = change;
	for (size_t i = frame->edits; i < s->edits->count; i++)
		frame->grown -= (int64_t)s->edits->items[i].removed;
	frame->grown += (int64_t)(change.size + change.data);
	return 0;
}

/* The length in front of a message that edits changed. */
static int
leave(struct scanner *s, struct phi_err *err)
{
	struct frame *const frame = &s->frames[s->depth - 1];
	if (frame->kind == &phi_onnx__tensor__descriptor && leave_tensor(s, frame, err) < 0)
		return -1;
	s->depth--;
	if (s->edits->count == frame->edits)
		return 0;
	if (!s->depth) {
		s->edits->size = (uint64_t)((int64_t)frame->end + frame->grown);
		return 0;
	}
	struct phi_onnx_edit *const e = add_edit(s->edits, frame->length, frame->at - frame->length, err);
	if (!e)
		return -1;
	e->change.size = put_varint(e->length, (uint64_t)((int64_t)(frame->end - frame->at) + frame->grown));
	s->frames[s->depth - 1].grown += frame->grown + (int64_t)e->change.size - (int64_t)e->removed;
	return 0;
}

static int
field_of_message(struct scanner *s, struct frame *frame, const struct phi_wire_place *p, struct phi_err *err)
{
	const field_kind *const f = protobuf_c_message_descriptor_get_field(frame->kind, p->number);
	if (!f) {
		if (s->unknown++ == PHI_ONNX_UNKNOWN_MAX)
			return phi_fail(err, PHI_LIMIT, "more than %d fields that are not ONNX's",
				PHI_ONNX_UNKNOWN_MAX);
		return 0;
	}
	if (phi_onnx_field_check(s->file, frame->kind->short_name, f, p, err) < 0)
		return -1;
	const uint32_t bit = UINT32_C(1) << (f - frame->kind->fields);
	if (f->label != PROTOBUF_C_LABEL_REPEATED && frame->seen & bit)
		return phi_fail(err, PHI_FORMAT, "offset %" PRIu64 ": %s of %s is there twice", p->key,
			f->name, frame->kind->short_name);
	frame->seen |= bit;
	if (frame->kind == &phi_onnx__tensor__descriptor) {
		const int taken = phi_onnx_found_field(s->file, &s->found, p, err);
		if (taken)
			return taken < 0 ? -1 : cut(s, p, err);
	}
	return f->type == PROTOBUF_C_TYPE_MESSAGE ? enter(s, f, p, err) : 0;
}

static int
walk(struct scanner *s, struct phi_err *err)
{
	uint64_t at = 0;
	while (s->depth) {
		struct frame *const frame = &s->frames[s->depth - 1];
		struct phi_wire_place p;
		const int more = phi_wire_file_next(s->file, &at, frame->end, &p, err);
		if (more < 0 || (!more && leave(s, err) < 0))
			return -1;
		if (!more)
			continue;
		/* The numbers of a tensor may be fields each; those that stay count when it is left. */
		const bool number = s->found.typed == p.number && frame->kind == &phi_onnx__tensor__descriptor;
		if (!number && s->fields++ >= PHI_ONNX_FIELDS_MAX)
			return phi_fail(err, PHI_LIMIT, "more than %d fields, the limit", PHI_ONNX_FIELDS_MAX);
		const unsigned depth = s->depth;
		if (field_of_message(s, frame, &p, err) < 0)
			return -1;
		if (s->depth > depth)
			at = p.at;
	}
	return 0;
}

int
phi_onnx_scan(struct phi_wire_file *file, phi_onnx_tensor_fn *tensor, void *ctx,
	struct phi_onnx_edits *edits, struct phi_err *err)
{
	struct scanner *const s = phi_calloc(1, sizeof *s, err);
	if (!s)
		return -1;
	s->file = file;
	s->tensor = tensor;
	s->ctx = ctx;
	s->edits = edits;
	edits->size = file->size;
	s->frames[0] = (struct frame){ .kind = &phi_onnx__model__descriptor, .end = file->size };
	s->depth = 1;
	const int result = walk(s, err);
	phi_free(s);
	if (edits->count)
		qsort(edits->items, edits->count, sizeof *edits->items, compare_edits);
	return result;
}

int
phi_onnx_edited(struct phi_wire_file *file, const struct phi_onnx_edits *edits, struct phi_buffer *out,
	struct phi_err *err)
{
	uint64_t at = 0;
	if (edits->size > PHI_ONNX_GRAPH_MAX)
		return phi_fail(err, PHI_LIMIT, "%" PRIu64 " bytes without the weights, more than %d",
			edits->size, PHI_ONNX_GRAPH_MAX);
	for (size_t i = 0; i <= edits->count; i++) {
		const struct phi_onnx_edit *const e = i < edits->count ? &edits->items[i] : NULL;
		const size_t n = (size_t)((e ? e->at : file->size) - at);
		if (phi_buffer_zeros(out, n, err) < 0 ||
			phi_wire_file_read(file, at, out->data + out->size - n, n, err) < 0)
			return -1;
		if (!e)
			break;
		if (phi_buffer_append(out, e->change.bytes ? e->change.bytes : e->length, e->change.size, err) < 0)
			return -1;
		at = e->at + e->removed;
	}
	return 0;
}
