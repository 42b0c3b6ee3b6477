#include "formats/onnx/composed.h"

#include "formats/core/checked.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"

#include <inttypes.h>
#include <string.h>

int
phi_onnx_compose_begin(struct phi_onnx_composition *c, struct phi_model *model, struct phi_err *err)
{
	return phi_model_append_storages(model, c->below->model, err);
}

void
phi_onnx_compose_end(struct phi_onnx_composition *c)
{
	phi_free(c->storages);
}

/* Reading */

int
phi_onnx_compose_read(const struct phi_onnx_composition *c, uint32_t storage, uint64_t offset, void *dst,
	size_t n, struct phi_err *err)
{
	const size_t first = c->below->model->nstorages;
	if (storage < first)
		return phi_source_read(c->below, storage, offset, dst, n, err);
	const struct phi_onnx_composed *const s = &c->storages[storage - first];
	uint8_t *to = dst;
	uint64_t repetition = offset / s->row, at = offset % s->row;
	for (; n; repetition++, at = 0)
		for (unsigned i = 0; i < s->nruns && n; i++) {
			const struct phi_onnx_run *const run = &s->runs[i];
			if (at >= run->size) {
				at -= run->size;
				continue;
			}
			const size_t part = run->size - at < n ? (size_t)(run->size - at) : n;
			if (phi_source_read(c->below, run->storage, run->offset + repetition * run->pitch + at, to, part, err))
				return -1;
			to += part;
			n -= part;
			at = 0;
		}
	return 0;
}

/* Composing */

struct composing {
	struct phi_onnx_composition *c;
	struct phi_model *model;
	const struct phi_onnx_piece *pieces;
	unsigned n;
	uint64_t rows; /* of all */
	struct phi_err *err;
};

static int
refuse(const struct composing *m, const char *what)
{
	struct phi_quoted q;
	return phi_fail(m->err, PHI_FORMAT, "tensor %s: %s", phi_quote(&q, m->pieces[0].tensor->name), what);
}

/* The runs as a storage of the model; its number goes to the plane. */
static int
add_storage(struct composing *m, struct phi_onnx_composed made, uint64_t repetitions, struct phi_plane *plane)
{
	struct phi_onnx_composition *const c = m->c;
	uint64_t size = 0;
	made.row = 0;
	for (unsigned i = 0; i < made.nruns; i++)
		if (!phi_add(made.row, made.runs[i].size, &made.row))
			return refuse(m, "more bytes than 64 bits count");
	if (!phi_mul(made.row, repetitions, &size) || !made.row)
		return refuse(m, "no bytes, or more than 64 bits count");
	struct phi_storage *const s = phi_grow(&c->storages, &c->capacity, c->count, sizeof *c->storages, m->err)
		? NULL : phi_model_add_storage(m->model, m->err);
	if (!s)
		return -1;
	const struct phi_storage *const first = &m->model->storages[made.runs[0].storage];
	*s = (struct phi_storage){ .file = first->file, .offset = first->offset, .size = size };
	c->storages[c->count++] = made;
	plane->storage = (uint32_t)(m->model->nstorages - 1);
	plane->offset = 0;
	return 0;
}

/* Bytes of plane p below each other: rows of a plane are whole bytes. */
static int
stack_plane(struct composing *m, unsigned p, struct phi_plane *plane)
{
	struct phi_onnx_composed made = { .nruns = m->n };
	for (unsigned i = 0; i < m->n; i++) {
		const struct phi_onnx_piece *const piece = &m->pieces[i];
		const struct phi_tensor *const t = piece->tensor;
		uint64_t bytes, before;
		if (!phi_tensor_plane_bytes(t, p, &bytes) || bytes % t->shape[0])
			return refuse(m, "its rows are no whole bytes");
		bytes /= t->shape[0];
		if (!phi_mul(bytes, piece->row, &before) || !phi_add(before, t->plane[p].offset, &before))
			return refuse(m, "more bytes than 64 bits count");
		made.runs[i] = (struct phi_onnx_run){ .storage = t->plane[p].storage, .offset = before,
			.size = bytes * piece->rows };
	}
	return add_storage(m, made, 1, plane);
}

/* Of what is stored exchanged: each column's run of rows. */
static int
stack_columns(struct composing *m, struct phi_plane *plane)
{
	struct phi_onnx_composed made = { .nruns = m->n };
	const struct phi_tensor *const first = m->pieces[0].tensor;
	for (unsigned i = 0; i < m->n; i++) {
		const struct phi_onnx_piece *const piece = &m->pieces[i];
		const struct phi_plane *const from = &piece->tensor->plane[0];
		const uint64_t width = first->type->bytes;
		if (from->dense || from->stride[0] != 1 || from->stride[1] < 1)
			return refuse(m, "its parts are not stored alike");
		made.runs[i] = (struct phi_onnx_run){ .storage = from->storage,
			.offset = from->offset + piece->row * width, .size = piece->rows * width,
			.pitch = (uint64_t)from->stride[1] * width };
	}
	plane->dense = false;
	plane->stride[0] = 1;
	plane->stride[1] = (int64_t)m->rows;
	return add_storage(m, made, first->shape[1], plane);
}

/* A packing of as many rows: a row has cells of its own, or is one of those in a word. */
static int
resize_packing(struct composing *m, struct phi_tensor *out)
{
	struct phi_packed *const p = phi_arena_calloc(m->model->arena, 1, sizeof *p, m->err);
	if (!p)
		return -1;
	*p = *out->packed;
	if (p->matrices != 1 || p->rows != m->pieces[0].tensor->shape[0] || p->elements != p->rows * p->columns)
		return refuse(m, "its rows are not stored one by one");
	for (unsigned i = 0; i < p->nplanes; i++)
		if (p->plane[i].whole || p->plane[i].along_rows != p->plane[i].transposed || p->plane[i].block[0] != 1)
			return refuse(m, "its rows are not stored one by one");
	p->rows = m->rows;
	p->elements = m->rows * p->columns;
	out->packed = p;
	return phi_packed_settle(p, m->err);
}

/* Of a packed plane whose lines run along the rows: each line's run of words. */
static int
stack_lines(struct composing *m, unsigned p, struct phi_plane *plane)
{
	struct phi_onnx_composed made = { .nruns = m->n };
	const uint64_t lines = m->pieces[0].tensor->packed->plane[p].cells[1];
	for (unsigned i = 0; i < m->n; i++) {
		const struct phi_onnx_piece *const piece = &m->pieces[i];
		const struct phi_packed_plane *const from = &piece->tensor->packed->plane[p];
		const unsigned per = phi_packed_per_word(from), width = from->type->bytes;
		if (!from->transposed || from->straddle || from->cells[1] != lines || piece->row % per || piece->rows % per)
			return refuse(m, "its rows are no whole words");
		made.runs[i] = (struct phi_onnx_run){ .storage = piece->tensor->plane[p].storage,
			.offset = piece->tensor->plane[p].offset + piece->row / per * width,
			.size = piece->rows / per * width, .pitch = from->cells[0] * width };
	}
	return add_storage(m, made, lines, plane);
}

static int
stack_planes(struct composing *m, struct phi_tensor *out)
{
	if (out->packed && resize_packing(m, out))
		return -1;
	for (unsigned p = 0; p < out->nplanes; p++) {
		const bool lines = out->packed && out->packed->plane[p].transposed;
		uint64_t bytes;
		if (!out->plane[p].dense)
			return refuse(m, "its parts are not stored alike");
		if (lines ? stack_lines(m, p, &out->plane[p]) : stack_plane(m, p, &out->plane[p]))
			return -1;
		if (!phi_tensor_plane_bytes(out, p, &bytes) || bytes != m->model->storages[out->plane[p].storage].size)
			return refuse(m, "its rows are not stored one by one");
	}
	return 0;
}

/* Exchanging */

static int
exchange_packed(struct phi_arena *arena, struct phi_tensor *t, struct phi_err *err)
{
	const struct phi_packed *const was = t->packed;
	struct phi_packed *const p = phi_arena_calloc(arena, 1, sizeof *p, err);
	if (!p)
		return -1;
	*p = *was;
	p->rows = was->columns;
	p->columns = was->rows;
	if (was->matrices != 1 || was->elements != was->rows * was->columns)
		return 1;
	for (unsigned i = 0; i < p->nplanes; i++) {
		const struct phi_packed_plane *const from = &was->plane[i];
		if (from->whole || from->padded > was->columns || from->order)
			return 1;
		p->plane[i].padded = 0;
		p->plane[i].along_rows = !from->along_rows;
		p->plane[i].transposed = !from->transposed;
		p->plane[i].block[0] = from->block[1];
		p->plane[i].block[1] = from->block[0];
	}
	if (phi_packed_settle(p, err))
		return -1;
	for (unsigned i = 0; i < p->nplanes; i++)
		if (p->plane[i].bytes != was->plane[i].bytes)
			return 1;
	t->packed = p;
	return 0;
}

int
phi_onnx_exchange(struct phi_arena *arena, struct phi_tensor *t, struct phi_err *err)
{
	if (t->rank != 2 || (!t->packed && (t->nplanes != 1 || t->type->elements != 1 || !t->plane[0].dense)))
		return 1;
	const int result = t->packed ? exchange_packed(arena, t, err) : 0;
	if (result)
		return result;
	const uint64_t rows = t->shape[1];
	t->shape[1] = t->shape[0];
	t->shape[0] = rows;
	if (!t->packed) {
		t->plane[0].dense = false;
		t->plane[0].stride[0] = 1;
		t->plane[0].stride[1] = (int64_t)rows;
	}
	return 0;
}

/* Do they have one type, and rows of one length? */
static int
check(struct composing *m)
{
	const struct phi_tensor *const first = m->pieces[0].tensor;
	char shapes[2][PHI_RANK_MAX * 24];
	struct phi_quoted q, r;
	for (unsigned i = 0; i < m->n; i++) {
		const struct phi_tensor *const t = m->pieces[i].tensor;
		if (strcmp(t->type->name, first->type->name) != 0)
			return phi_fail(m->err, PHI_UNSUPPORTED, "tensor %s is %s and %s is %s: they are not made one",
				phi_quote(&q, first->name), first->type->name, phi_quote(&r, t->name), t->type->name);
		if (t->nplanes != first->nplanes || t->rank != first->rank || !t->rank || t->rank > 2 || !t->shape[0] ||
			(t->rank == 2 && t->shape[1] != first->shape[1]) || !t->packed != !first->packed ||
			(t->packed && t->packed->nplanes != first->packed->nplanes))
			return phi_fail(m->err, PHI_FORMAT, "tensor %s: shape %s does not fit %s of %s",
				phi_quote(&q, t->name), phi_tensor_shape(t, shapes[0], sizeof shapes[0]),
				phi_tensor_shape(first, shapes[1], sizeof shapes[1]), phi_quote(&r, first->name));
		if (!phi_fits(m->pieces[i].row, m->pieces[i].rows, t->shape[0]) || !m->pieces[i].rows ||
			!phi_add(m->rows, m->pieces[i].rows, &m->rows))
			return refuse(m, "fewer rows than its parts have");
	}
	return 0;
}

int
phi_onnx_compose(struct phi_onnx_composition *c, struct phi_model *model, const struct phi_onnx_piece *pieces,
	unsigned n, struct phi_tensor *out, struct phi_err *err)
{
	struct composing m = { c, model, pieces, n, 0, err };
	const struct phi_tensor *const first = pieces[0].tensor;
	if (n > PHI_ONNX_RUNS_MAX)
		return phi_fail(err, PHI_LIMIT, "more than %d parts of a tensor", PHI_ONNX_RUNS_MAX);
	if (check(&m))
		return -1;
	*out = *first;
	if (n == 1 && pieces[0].rows == first->shape[0])
		return 0;
	if (n == 1 && phi_tensor_slice(first, pieces[0].row, pieces[0].rows, false, out))
		return 0;
	*out = *first;
	out->shape[0] = m.rows;
	if (!phi_tensor_is_readable(first))
		return refuse(&m, "it is not known how its planes are read");
	return out->rank == 2 && !out->plane[0].dense ? stack_columns(&m, &out->plane[0]) : stack_planes(&m, out);
}
