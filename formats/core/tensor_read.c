/* Reading the elements of a tensor in row-major order, whatever the strides of its plane.
 *
 * A dense plane is one read. A strided one is cut into the rows of its innermost dimension; what is
 * left to choose is along which dimension the bytes of the storage are next to each other:
 *
 *     innermost stride 1     a read for each row (slices, broadcast rows)
 *     rank 2, outer stride 1 the transposed matrix: a read for each column of the block of rows asked
 *                            for, scattered (the pump asks for enough rows to make that worth it)
 *     anything else          element by element through a window of 64 KiB
 */
#include "formats/core/memory.h"
#include "formats/core/source.h"
#include "formats/core/swap.h"

#include <string.h>

enum { WINDOW_BYTES = 64 << 10, STRIP_BYTES = 64 << 10 };

struct gather {
	struct phi_source *source;
	const struct phi_plane *plane;
	unsigned rank, width; /* width: bytes of an element */
	uint64_t shape[PHI_RANK_MAX];
	int64_t stride[PHI_RANK_MAX];
	uint8_t *window; /* of a copy of the storage around the last element */
	uint64_t window_at, window_size;
};

/* The place in the storage of the element with row-major index i; the model's check saw that every
 * element lies inside, so nothing here can overflow. */
static uint64_t
place(const struct gather *g, uint64_t i)
{
	int64_t at = 0;
	for (unsigned d = g->rank; d-- > 0;) {
		at += (int64_t)(i % g->shape[d]) * g->stride[d];
		i /= g->shape[d];
	}
	return g->plane->offset + (uint64_t)(at * (int64_t)g->width);
}

static int
read_bytes(struct gather *g, uint64_t offset, void *dst, size_t n, struct phi_err *err)
{
	return phi_source_read(g->source, g->plane->storage, offset, dst, n, err);
}

static int
read_rows(struct gather *g, uint64_t first, uint64_t n, uint8_t *dst, struct phi_err *err)
{
	const uint64_t row = g->shape[g->rank - 1];
	while (n) {
		const uint64_t left = row - first % row;
		const uint64_t run = left < n ? left : n;
		if (read_bytes(g, place(g, first), dst, (size_t)(run * g->width), err) < 0)
			return -1;
		dst += run * g->width;
		first += run;
		n -= run;
	}
	return 0;
}

/* `rows` whole rows of a rank 2 view whose columns are contiguous: column by column. */
static int
read_columns(struct gather *g, uint64_t row, uint64_t rows, uint8_t *dst, struct phi_err *err)
{
	uint8_t strip[STRIP_BYTES];
	const uint64_t columns = g->shape[1], most = STRIP_BYTES / g->width;
	for (uint64_t r = 0; r < rows; r += most) {
		const uint64_t run = rows - r < most ? rows - r : most;
		for (uint64_t c = 0; c < columns; c++) {
			const uint64_t at = place(g, (row + r) * columns + c);
			if (read_bytes(g, at, strip, (size_t)(run * g->width), err) < 0)
				return -1;
			for (uint64_t i = 0; i < run; i++)
				memcpy(dst + ((r + i) * columns + c) * g->width,
					strip + i * g->width, g->width);
		}
	}
	return 0;
}

static int
move_window(struct gather *g, uint64_t at, struct phi_err *err)
{
	const uint64_t total = g->source->model->storages[g->plane->storage].size;
	if (!g->window && !(g->window = phi_alloc(WINDOW_BYTES, err)))
		return -1;
	/* Half the window lies before the element: strides may be negative. */
	g->window_at = at > WINDOW_BYTES / 2 ? at - WINDOW_BYTES / 2 : 0;
	const uint64_t left = total - g->window_at;
	g->window_size = left < WINDOW_BYTES ? left : WINDOW_BYTES;
	return read_bytes(g, g->window_at, g->window, (size_t)g->window_size, err);
}

static int
read_elements(struct gather *g, uint64_t first, uint64_t n, uint8_t *dst, struct phi_err *err)
{
	for (uint64_t i = 0; i < n; i++) {
		const uint64_t at = place(g, first + i);
		if ((!g->window || at < g->window_at ||
			    at + g->width > g->window_at + g->window_size) &&
			move_window(g, at, err) < 0)
			return -1;
		memcpy(dst + i * g->width, g->window + (at - g->window_at), g->width);
	}
	return 0;
}

/* The transposed matrix: whole rows column by column, the ragged ends element by element. */
static int
read_transposed(struct gather *g, uint64_t first, uint64_t n, uint8_t *dst, struct phi_err *err)
{
	const uint64_t row = g->shape[1];
	const uint64_t head = first % row ? row - first % row : 0;
	if (head + row > n)
		return read_elements(g, first, n, dst, err);
	const uint64_t rows = (n - head) / row, done = head + rows * row;
	if (read_elements(g, first, head, dst, err) < 0 ||
		read_columns(g, (first + head) / row, rows, dst + head * g->width, err) < 0)
		return -1;
	return read_elements(g, first + done, n - done, dst + done * g->width, err);
}

static void
set_view(struct gather *g, const struct phi_tensor *t, bool transpose)
{
	uint64_t dense = 1;
	for (unsigned d = t->rank; d-- > 0;) {
		g->shape[d] = t->shape[d];
		g->stride[d] = g->plane->dense ? (int64_t)dense : g->plane->stride[d];
		dense *= t->shape[d];
	}
	if (transpose) {
		const uint64_t n = g->shape[0];
		const int64_t s = g->stride[0];
		g->shape[0] = g->shape[1], g->stride[0] = g->stride[1];
		g->shape[1] = n, g->stride[1] = s;
	}
}

static int
read_strided(struct gather *g, uint64_t first, uint64_t n, uint8_t *dst, struct phi_err *err)
{
	int result;
	if (g->rank && (g->stride[g->rank - 1] == 1 || g->shape[g->rank - 1] == 1))
		result = read_rows(g, first, n, dst, err);
	else if (g->rank == 2 && g->stride[0] == 1)
		result = read_transposed(g, first, n, dst, err);
	else
		result = read_elements(g, first, n, dst, err);
	phi_free(g->window);
	return result;
}

int
phi_tensor_read(struct phi_source *source, const struct phi_tensor *tensor, bool transpose,
	uint64_t first, uint64_t n, void *dst, struct phi_err *err)
{
	const struct phi_plane *const plane = &tensor->plane[0];
	const struct phi_type *const type = tensor->type;
	uint64_t at, size;
	if (n == 0)
		return 0;
	if (tensor->nplanes != 1)
		return phi_fail(err, PHI_UNSUPPORTED, "%u planes cannot be read as one", tensor->nplanes);
	if (!phi_type_size(type, first, &at) || !phi_type_size(type, n, &size))
		return phi_fail(err, PHI_ARGUMENT, "no whole blocks of %s", type->name);
	if (plane->dense && !transpose) {
		if (phi_source_read(source, plane->storage, plane->offset + at, dst, (size_t)size,
			    err) < 0)
			return -1;
	} else {
		struct gather g = { .source = source, .plane = plane, .rank = tensor->rank,
			.width = type->bytes };
		if (type->elements != 1 || (transpose && tensor->rank != 2))
			return phi_fail(err, PHI_UNSUPPORTED, "%s of rank %u cannot be transposed",
				type->name, tensor->rank);
		set_view(&g, tensor, transpose);
		if (read_strided(&g, first, n, dst, err) < 0)
			return -1;
	}
	if (plane->swap)
		phi_type_swap(type, dst, size);
	return 0;
}
