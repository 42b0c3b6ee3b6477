/* Reading packed tensors: the cells that some rows need are gathered plane by plane, then decoded.
 *
 *     lines along the columns      the rows' lines are next to each other: one read
 *     transposed                   of each line the few cells of the rows: a read a line. Callers ask for
 *                                  many rows at a time (schedule.c)
 *
 * An element is found by its row-major index; rows that are asked for in part are decoded whole. */
#include "formats/core/memory.h"
#include "formats/core/source.h"

#include <inttypes.h>
#include <string.h>

struct reader {
	struct phi_source *source;
	const struct phi_tensor *tensor;
	const struct phi_packed *packed;
	phi_unpack_fn *unpack;
	uint8_t *cells[PHI_PLANES_MAX];
	size_t capacity[PHI_PLANES_MAX];
	bool held[PHI_PLANES_MAX]; /* whole, and read already */
	float *row;		   /* one row, of which a part is wanted */
};

static int
reserve(struct reader *r, unsigned i, uint64_t size, struct phi_err *err)
{
	if (r->cells[i] && r->capacity[i] >= size)
		return 0;
	phi_free(r->cells[i]);
	r->cells[i] = phi_alloc((size_t)size, err);
	r->capacity[i] = r->cells[i] ? (size_t)size : 0;
	return r->cells[i] ? 0 : -1;
}

static int
read_at(struct reader *r, unsigned i, uint64_t offset, void *dst, uint64_t n, struct phi_err *err)
{
	const struct phi_plane *const at = &r->tensor->plane[i];
	return phi_source_read(r->source, at->storage, at->offset + offset, dst, (size_t)n, err);
}

static int
gather_whole(struct reader *r, unsigned i, struct phi_packed_cells *out, struct phi_err *err)
{
	const struct phi_packed_plane *const p = &r->packed->plane[i];
	if (!r->held[i] && (reserve(r, i, p->bytes, err) < 0 ||
				   read_at(r, i, 0, r->cells[i], p->bytes, err) < 0))
		return -1;
	r->held[i] = true;
	*out = (struct phi_packed_cells){ .cells = r->cells[i], .stride = { 0, p->type->bytes } };
	return 0;
}

/* The cells in the direction of the rows that rows [row, row + rows) touch. */
static void
span(const struct phi_packed_plane *p, uint64_t row, uint64_t rows, uint64_t *first, uint64_t *n)
{
	uint64_t a = row / p->block[0], end = (row + rows - 1) / p->block[0] + 1;
	if (p->along_rows) {
		const unsigned word = p->type->bytes * 8, per = phi_packed_per_word(p);
		a = p->straddle ? a * p->bits / word : a / per;
		end = phi_packed_words(p, end);
	}
	*first = a;
	*n = end - a;
}

static int
gather(struct reader *r, unsigned i, uint64_t matrix, uint64_t row, uint64_t rows,
	struct phi_packed_cells *out, struct phi_err *err)
{
	const struct phi_packed_plane *const p = &r->packed->plane[i];
	const unsigned width = p->type->bytes;
	uint64_t n;
	if (p->whole)
		return gather_whole(r, i, out, err);
	span(p, row, rows, &out->first, &n);
	if (reserve(r, i, n * p->cells[1] * width, err) < 0)
		return -1;
	const uint64_t base = matrix * p->cells[0] * p->cells[1] * width;
	out->cells = r->cells[i];
	if (!p->transposed) {
		out->stride[0] = (size_t)(p->cells[1] * width), out->stride[1] = width;
		uint64_t size = n * p->cells[1] * width;
		const uint64_t from = base + out->first * p->cells[1] * width;
		/* The last row of a flat packing ends early. */
		if (from + size > p->bytes) {
			memset(r->cells[i], 0, (size_t)size);
			size = p->bytes > from ? p->bytes - from : 0;
		}
		return read_at(r, i, from, r->cells[i], size, err);
	}
	out->stride[0] = width, out->stride[1] = (size_t)(n * width);
	for (uint64_t line = 0; line < p->cells[1]; line++)
		if (read_at(r, i, base + (line * p->cells[0] + out->first) * width,
			    r->cells[i] + line * n * width, n * width, err) < 0)
			return -1;
	return 0;
}

/* Whole rows of one matrix. */
static int
read_rows(struct reader *r, uint64_t matrix, uint64_t row, uint64_t rows, float *dst,
	struct phi_err *err)
{
	struct phi_packed_tile tile = { .packed = r->packed, .row = row, .rows = rows };
	for (unsigned i = 0; i < r->packed->nplanes; i++)
		if (gather(r, i, matrix, row, rows, &tile.plane[i], err) < 0)
			return -1;
	return r->unpack(&tile, dst, err);
}

/* Elements [at, at + n) of row `row` counted over all matrices. */
static int
read_part(struct reader *r, uint64_t row, uint64_t at, uint64_t n, float *dst, struct phi_err *err)
{
	const struct phi_packed *const p = r->packed;
	if (!r->row && !(r->row = phi_alloc((size_t)p->columns * sizeof *r->row, err)))
		return -1;
	if (read_rows(r, row / p->rows, row % p->rows, 1, r->row, err) < 0)
		return -1;
	memcpy(dst, r->row + at, (size_t)n * sizeof *dst);
	return 0;
}

static int
read_all(struct reader *r, uint64_t first, uint64_t n, float *dst, struct phi_err *err)
{
	const struct phi_packed *const p = r->packed;
	while (n) {
		const uint64_t row = first / p->columns, at = first % p->columns;
		uint64_t done;
		if (at || n < p->columns) {
			done = p->columns - at < n ? p->columns - at : n;
			if (read_part(r, row, at, done, dst, err) < 0)
				return -1;
		} else {
			const uint64_t left = p->rows - row % p->rows, whole = n / p->columns;
			const uint64_t rows = whole < left ? whole : left;
			done = rows * p->columns;
			if (read_rows(r, row / p->rows, row % p->rows, rows, dst, err) < 0)
				return -1;
		}
		dst += done;
		first += done;
		n -= done;
	}
	return 0;
}

int
phi_tensor_unpack(struct phi_source *source, const struct phi_tensor *tensor, phi_unpack_fn *unpack,
	uint64_t first, uint64_t n, float *dst, struct phi_err *err)
{
	struct reader r = { .source = source, .tensor = tensor, .packed = tensor->packed,
		.unpack = unpack };
	const int result = read_all(&r, first, n, dst, err);
	for (unsigned i = 0; i < r.packed->nplanes; i++)
		phi_free(r.cells[i]);
	phi_free(r.row);
	return result;
}

int
phi_tensor_load(struct phi_source *source, const struct phi_tensor *tensor, phi_unpack_fn *unpack,
	bool transpose, uint64_t first, uint64_t n, void *dst, struct phi_err *err)
{
	if (tensor->type->class != PHI_CLASS_PACKED)
		return phi_tensor_read(source, tensor, transpose, first, n, dst, err);
	if (!unpack || transpose)
		return phi_fail(err, PHI_UNSUPPORTED, "%s cannot be %s", tensor->type->name,
			transpose ? "transposed" : "decoded");
	return phi_tensor_unpack(source, tensor, unpack, first, n, dst, err);
}
