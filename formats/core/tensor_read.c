/* Reading the elements of a tensor in row-major order, whatever the strides of its plane.
 *
 * A dense plane is one read. Where the innermost stride is 1, each row is one. Else the elements asked for
 * are taken in runs along one dimension, whichever needs the fewest and shortest reads: that a transposed
 * matrix has its bytes next to each other along, or one of a permuted view that a read of 64 KiB holds
 * many elements of. (The pump asks for enough at a time to make that worth it.)
 *
 * A tensor of blocks whose fields lie in planes of their own is woven: of each plane the stretch that the
 * blocks take is one run of reads, laid out a field a block.
 */
#include "formats/core/field.h"
#include "formats/core/source.h"
#include "formats/core/swap.h"

#include <string.h>

enum {
	STRIP_BYTES = 64 << 10,
	READ_COST = 4096, /* of a read, in bytes that it might have read instead */
};

struct gather {
	struct phi_source *source;
	const struct phi_plane *plane;
	unsigned rank, width; /* width: bytes of an element */
	uint64_t shape[PHI_RANK_MAX];
	int64_t stride[PHI_RANK_MAX];
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

static uint64_t
pitch_of(const struct gather *g, unsigned d)
{
	return g->stride[d] < 0 ? -(uint64_t)g->stride[d] : (uint64_t)g->stride[d];
}

/* How many elements along a dimension lie within a strip. */
static uint64_t
strip_of(const struct gather *g, unsigned d)
{
	const uint64_t most = STRIP_BYTES / g->width, pitch = pitch_of(g, d);
	return pitch ? (most - 1) / pitch + 1 : most;
}

/* The dimension along which n elements cost least; *step: elements from one index of it to the next. */
static unsigned
choose_dimension(const struct gather *g, uint64_t n, uint64_t *step)
{
	unsigned best = g->rank - 1;
	uint64_t least = UINT64_MAX, inner = 1;
	for (unsigned d = g->rank; d-- > 0 && inner <= n; inner *= g->shape[d]) {
		const uint64_t strip = strip_of(g, d), most = n / inner;
		uint64_t run = g->shape[d] < most ? g->shape[d] : most;
		run = run < strip ? run : strip;
		const uint64_t span = ((run - 1) * pitch_of(g, d) + 1) * g->width;
		if ((READ_COST + span) / run < least) {
			least = (READ_COST + span) / run;
			best = d;
			*step = inner;
		}
	}
	return best;
}

/* `count` elements along dimension d, from that of row-major index i on; each goes `step` elements behind
 * the one before. */
static int
read_run(struct gather *g, unsigned d, uint64_t step, uint64_t i, uint64_t count, uint8_t *dst,
	struct phi_err *err)
{
	uint8_t strip[STRIP_BYTES];
	const uint64_t most = strip_of(g, d), pitch = pitch_of(g, d) * g->width;
	const bool back = g->stride[d] < 0;
	while (count) {
		const uint64_t run = count < most ? count : most;
		const uint64_t at = place(g, back ? i + (run - 1) * step : i);
		if (read_bytes(g, at, strip, (size_t)((run - 1) * pitch + g->width), err) < 0)
			return -1;
		for (uint64_t k = 0; k < run; k++)
			memcpy(dst + k * step * g->width,
				strip + (back ? run - 1 - k : k) * pitch, g->width);
		dst += run * step * g->width;
		i += run * step;
		count -= run;
	}
	return 0;
}

static int
read_runs(struct gather *g, uint64_t first, uint64_t n, uint8_t *dst, struct phi_err *err)
{
	uint64_t step = 1;
	const unsigned d = choose_dimension(g, n, &step);
	for (uint64_t b = 0; b < step; b++) {
		/* Elements r * step + b are first, or between first and its end. */
		uint64_t r = first / step + (b < first % step);
		const uint64_t end = (first + n) / step + (b < (first + n) % step);
		while (r < end) {
			const uint64_t left = g->shape[d] - r % g->shape[d];
			const uint64_t run = left < end - r ? left : end - r, i = r * step + b;
			if (read_run(g, d, step, i, run, dst + (i - first) * g->width, err) < 0)
				return -1;
			r += run;
		}
	}
	return 0;
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
	if (!g->rank)
		return read_bytes(g, place(g, 0), dst, g->width, err);
	const bool rows = g->stride[g->rank - 1] == 1 || g->shape[g->rank - 1] == 1;
	return rows ? read_rows(g, first, n, dst, err) : read_runs(g, first, n, dst, err);
}

/* Field f of n blocks from `first` on, put where it goes in each block. */
static int
weave_field(struct phi_source *source, const struct phi_tensor *t, unsigned f, uint64_t first, uint64_t n,
	uint8_t *dst, struct phi_err *err)
{
	uint8_t strip[STRIP_BYTES];
	const struct phi_plane *const plane = &t->plane[f];
	const uint64_t end = first + n;
	struct phi_field field;
	if (!phi_field_of(t, f, &field))
		return phi_fail(err, PHI_ARGUMENT, "no whole blocks of %s", t->type->name);
	for (uint64_t run; first < end; first += run, dst += run * field.pitch) {
		size_t bytes;
		run = phi_field_run(&field, first, end - first, STRIP_BYTES / field.width);
		const uint64_t at = phi_field_place(&field, first, run, &bytes);
		if (phi_source_read(source, plane->storage, plane->offset + at, strip, bytes, err) < 0)
			return -1;
		phi_field_weave(&field, first, run, strip, dst);
	}
	return 0;
}

static int
weave(struct phi_source *source, const struct phi_tensor *t, uint64_t first, uint64_t n, uint8_t *dst,
	struct phi_err *err)
{
	for (unsigned f = 0; f < t->nplanes; f++)
		if (weave_field(source, t, f, first / t->type->elements, n / t->type->elements, dst, err) < 0)
			return -1;
	return 0;
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
	if (tensor->nplanes != 1 && (!phi_tensor_is_woven(tensor) || transpose))
		return phi_fail(err, PHI_UNSUPPORTED, "%u planes cannot be read as one", tensor->nplanes);
	if (!phi_type_size(type, first, &at) || !phi_type_size(type, n, &size))
		return phi_fail(err, PHI_ARGUMENT, "no whole blocks of %s", type->name);
	if (phi_tensor_is_woven(tensor))
		return weave(source, tensor, first, n, dst, err);
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
