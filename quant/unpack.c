/* Packed tensors to floats; formats/core/packed.h has the formula and the order of its operations.
 *
 * A row at a time: its codes become bytes, its groups' scales, zero points and biases floats, then each
 * element is looked up, moved and scaled. Numbers are F32 all the way: the reference libraries' own
 * results in F16 or BF16 are these, rounded. */
#include "quant/unpack.h"

#include "formats/core/memory.h"
#include "quant/numbers.h"

#include <inttypes.h>

enum { CODES = 256 };

struct row {
	const struct phi_packed_tile *tile;
	int scale, zero, bias, index, global, scale_table, nested; /* planes, or -1 */
	float meaning[CODES];
	float scale_meaning[CODES];
	uint64_t groups;
	uint8_t *codes;		       /* of each column */
	float *scales, *zeros; /* of each group */
};

static float
f4(unsigned code)
{
	static const float values[8] = { 0, 0.5f, 1, 1.5f, 2, 3, 4, 6 };
	return code & 8 ? -values[code & 7] : values[code & 7];
}

/* No infinities; the one NaN is all ones. */
static float
f8_e4m3(unsigned code)
{
	const int exponent = (code >> 3) & 15, fraction = code & 7;
	const float f = (code & 0x7F) == 0x7F ? NAN
		: exponent			? ldexpf((float)(fraction + 8), exponent - 10)
						: ldexpf((float)fraction, -9);
	return code & 0x80 ? -f : f;
}

static float
f8_e8m0(unsigned code)
{
	return code == 0xFF ? NAN : ldexpf(1, (int)code - 127);
}

/* bitsandbytes' functional.py: quantiles of the normal distribution, and its own way of 4 bits. */
static const float nf4[16] = { -1, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f,
	-0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f, 0, 0.07958029955625534f,
	0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f, 0.44070982933044434f,
	0.5626170039176941f, 0.7229568362236023f, 1 };

static float
fp4(unsigned code)
{
	static const float values[8] = { 0, 5.208333333e-03f, 0.66666667f, 1, 0.33333333f, 0.5f, 0.16666667f, 0.25f };
	return code & 8 ? -values[code & 7] : values[code & 7];
}

/* A cell that is a number by itself. */
static float
number(const struct phi_type *type, const uint8_t *cell)
{
	switch (type->id) {
	case PHI_F32:
		return phi_float32(phi_load32(cell));
	case PHI_F16:
		return half_value(phi_load16(cell));
	case PHI_BF16:
		return phi_float32((uint32_t)phi_load16(cell) << 16);
	case PHI_F8_E4M3:
		return f8_e4m3(*cell);
	case PHI_F8_E5M2:
		return half_value((uint16_t)(*cell << 8));
	case PHI_F8_E8M0:
		return f8_e8m0(*cell);
	case PHI_I8:
		return (int8_t)*cell;
	case PHI_I32:
		return (float)(int32_t)phi_load32(cell);
	default:
		return *cell;
	}
}

static uint64_t
word(const struct phi_packed_plane *p, const uint8_t *cell)
{
	return p->type->bytes == 1 ? *cell : p->type->bytes == 2 ? phi_load16(cell) : phi_load32(cell);
}

/* Codes [0, n) of the grid's row `x` (in units of the plane's block). */
static void
codes_of(const struct phi_packed_plane *p, const struct phi_packed_cells *at, uint64_t x, uint8_t *dst,
	uint64_t n)
{
	const unsigned bits = p->bits, width = p->type->bytes * 8, per = width / bits;
	const unsigned mask = (1U << bits) - 1;
	if (p->along_rows) {
		const uint64_t a = p->straddle ? x * bits / width : x / per;
		const unsigned k = (unsigned)(x % per);
		const unsigned shift = p->straddle ? (unsigned)(x * bits % width)
			: (p->order ? p->order[k] : k) * bits;
		const uint8_t *cell = at->cells + (a - at->first) * at->stride[0];
		for (uint64_t c = 0; c < n; c++, cell += at->stride[1]) {
			uint64_t w = word(p, cell) >> shift;
			if (shift + bits > width)
				w |= word(p, cell + at->stride[0]) << (width - shift);
			dst[c] = (uint8_t)(w & mask);
		}
		return;
	}
	const uint8_t *cell = at->cells + (x - at->first) * at->stride[0];
	if (p->straddle) {
		uint64_t held = 0;
		unsigned have = 0;
		for (uint64_t c = 0; c < n; c++, held >>= bits, have -= bits) {
			if (have < bits) {
				held |= word(p, cell) << have;
				have += width;
				cell += at->stride[1];
			}
			dst[c] = (uint8_t)(held & mask);
		}
		return;
	}
	for (uint64_t c = 0; c < n; cell += at->stride[1]) {
		const uint64_t w = word(p, cell);
		for (unsigned k = 0; k < per && c < n; k++)
			dst[c++] = (uint8_t)(w >> ((p->order ? p->order[k] : k) * bits) & mask);
	}
}

static const uint8_t *
cell_at(const struct phi_packed_plane *p, const struct phi_packed_cells *at, uint64_t row, uint64_t b)
{
	return at->cells + (p->whole ? 0 : (row / p->block[0] - at->first) * at->stride[0]) +
		b * at->stride[1];
}

/* The number of plane i that column c of a row has. */
static float
number_of(const struct row *r, int i, uint64_t row, uint64_t column)
{
	const struct phi_packed_plane *const p = &r->tile->packed->plane[i];
	const uint64_t b = p->whole ? 0 : column / p->block[1];
	return number(p->type, cell_at(p, &r->tile->plane[i], row, b));
}

static void
read_scales(struct row *r, uint64_t row)
{
	const struct phi_packed *const packed = r->tile->packed;
	const struct phi_packed_plane *const p = &packed->plane[r->scale];
	const struct phi_packed_cells *const at = &r->tile->plane[r->scale];
	for (uint64_t g = 0; g < r->groups; g++) {
		const uint8_t *const cell = cell_at(p, at, row, g);
		float s;
		if (r->scale_table >= 0) {
			const uint64_t column = g * p->block[1];
			s = r->scale_meaning[*cell] * number_of(r, r->nested, row, column) +
				packed->nested_offset;
		} else {
			s = number(p->type, cell);
		}
		if (r->global >= 0) {
			const float global = number_of(r, r->global, row, 0);
			s = packed->divide ? s / global : s * global;
		}
		r->scales[g] = s;
	}
}

static void
read_zeros(struct row *r, uint64_t row)
{
	const struct phi_packed *const packed = r->tile->packed;
	const struct phi_packed_plane *const p = &packed->plane[r->zero];
	const struct phi_packed_cells *const at = &r->tile->plane[r->zero];
	if (!p->bits) {
		for (uint64_t g = 0; g < r->groups; g++)
			r->zeros[g] = number(p->type, cell_at(p, at, row, g));
		return;
	}
	/* The codes are as many bytes; they are put where the floats' last bytes go. */
	uint8_t *const codes = (uint8_t *)r->zeros + r->groups * 3;
	codes_of(p, at, row / p->block[0], codes, r->groups);
	for (uint64_t g = 0; g < r->groups; g++) {
		const unsigned z = (codes[g] + packed->zero_bias) & ((1U << p->bits) - 1);
		r->zeros[g] = r->meaning[z];
	}
}

static void
run(const struct row *r, uint64_t g, uint64_t from, uint64_t to, float *dst)
{
	const float s = r->scales[g], z = r->zeros[g];
	for (uint64_t c = from; c < to; c++)
		dst[c] = (r->meaning[r->codes[c]] - z) * s;
}

/* Columns whose group a table names. */
static int
run_indexed(const struct row *r, float *dst, struct phi_err *err)
{
	const struct phi_packed *const packed = r->tile->packed;
	const uint8_t *const index = r->tile->plane[r->index].cells;
	for (uint64_t c = 0; c < packed->columns; c++) {
		const uint32_t g = phi_load32(index + 4 * c);
		if (g >= r->groups)
			return phi_fail(err, PHI_FORMAT,
				"input %" PRIu64 " is of group %" PRId32 ", but there are %" PRIu64, c,
				(int32_t)g, r->groups);
		dst[c] = (r->meaning[r->codes[c]] - r->zeros[g]) * r->scales[g];
	}
	return 0;
}

static void
finish(const struct row *r, uint64_t row, float *dst)
{
	const struct phi_packed *const packed = r->tile->packed;
	const uint64_t n = packed->columns;
	for (uint64_t c = 0; packed->factor != 1 && c < n; c++)
		dst[c] *= packed->factor;
	for (uint64_t c = 0; r->bias >= 0 && c < n; c++)
		dst[c] += number_of(r, r->bias, row, c);
}

static int
unpack_row(struct row *r, uint64_t row, float *dst, struct phi_err *err)
{
	const struct phi_packed *const packed = r->tile->packed;
	const struct phi_packed_plane *const p = &packed->plane[0];
	codes_of(p, &r->tile->plane[0], row, r->codes, packed->columns);
	if (r->scale >= 0)
		read_scales(r, row);
	if (r->zero >= 0)
		read_zeros(r, row);
	if (r->index >= 0) {
		if (run_indexed(r, dst, err) < 0)
			return -1;
	} else {
		const uint64_t step = r->scale >= 0 && !packed->plane[r->scale].whole ?
			packed->plane[r->scale].block[1] : packed->columns;
		uint64_t g = 0;
		for (uint64_t c = 0; c < packed->columns; c += step, g++)
			run(r, g, c, step < packed->columns - c ? c + step : packed->columns, dst);
	}
	finish(r, row, dst);
	return 0;
}

static void
read_meaning(struct row *r)
{
	const struct phi_packed *const packed = r->tile->packed;
	const unsigned n = 1U << packed->plane[0].bits, half = n / 2;
	const int table = phi_packed_find(packed, PHI_PACKED_TABLE);
	for (unsigned i = 0; i < n; i++)
		switch (packed->meaning) {
		case PHI_CODE_UNSIGNED:
			r->meaning[i] = (float)i;
			break;
		case PHI_CODE_SIGNED:
			r->meaning[i] = (float)((int)i - (i >= half ? (int)n : 0));
			break;
		case PHI_CODE_OFFSET:
			r->meaning[i] = (float)((int)i - (int)half);
			break;
		case PHI_CODE_F4:
			r->meaning[i] = f4(i);
			break;
		case PHI_CODE_F8_E4M3:
			r->meaning[i] = f8_e4m3(i);
			break;
		case PHI_CODE_F8_E5M2:
			r->meaning[i] = half_value((uint16_t)(i << 8));
			break;
		case PHI_CODE_NF4:
			r->meaning[i] = nf4[i & 15];
			break;
		case PHI_CODE_FP4:
			r->meaning[i] = fp4(i & 15);
			break;
		case PHI_CODE_TABLE:
			r->meaning[i] = phi_float32(phi_load32(r->tile->plane[table].cells + 4 * i));
			break;
		}
	for (unsigned i = 0; r->scale_table >= 0 && i < CODES; i++)
		r->scale_meaning[i] =
			phi_float32(phi_load32(r->tile->plane[r->scale_table].cells + 4 * i));
}

static struct row
prepare(const struct phi_packed_tile *tile)
{
	const struct phi_packed *const packed = tile->packed;
	struct row r = { .tile = tile,
		.scale = phi_packed_find(packed, PHI_PACKED_SCALE),
		.zero = phi_packed_find(packed, PHI_PACKED_ZERO),
		.bias = phi_packed_find(packed, PHI_PACKED_BIAS),
		.index = phi_packed_find(packed, PHI_PACKED_INDEX),
		.global = phi_packed_find(packed, PHI_PACKED_GLOBAL),
		.scale_table = phi_packed_find(packed, PHI_PACKED_SCALE_TABLE),
		.nested = phi_packed_find(packed, PHI_PACKED_SCALE_NESTED) };
	r.groups = r.scale >= 0 && !packed->plane[r.scale].whole ? packed->plane[r.scale].cells[1] : 1;
	read_meaning(&r);
	return r;
}

int
phi_unpack(const struct phi_packed_tile *tile, float *dst, struct phi_err *err)
{
	const struct phi_packed *const packed = tile->packed;
	struct row r = prepare(tile);
	r.codes = phi_alloc((size_t)packed->columns, err);
	r.scales = phi_calloc((size_t)r.groups * 2, sizeof *r.scales, err);
	int result = r.codes && r.scales ? 0 : -1;
	r.zeros = r.scales + r.groups;
	for (uint64_t g = 0; !result && g < r.groups; g++)
		r.scales[g] = 1;
	for (uint64_t i = 0; !result && i < tile->rows; i++)
		result = unpack_row(&r, tile->row + i, dst + i * packed->columns, err);
	phi_free(r.codes);
	phi_free(r.scales);
	return result;
}
