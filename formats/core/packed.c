#include "formats/core/packed.h"

#include "formats/core/checked.h"

#include <inttypes.h>

uint64_t
phi_packed_words(const struct phi_packed_plane *p, uint64_t n)
{
	const unsigned word = p->type->bytes * 8, per = phi_packed_per_word(p);
	if (!p->bits)
		return n;
	/* n is below 2^58, see settle. */
	return p->straddle ? (n * p->bits + word - 1) / word : (n + per - 1) / per;
}

int
phi_packed_find(const struct phi_packed *packed, enum phi_packed_role role)
{
	for (unsigned i = 0; i < packed->nplanes; i++)
		if (packed->plane[i].role == role)
			return (int)i;
	return -1;
}

static int
settle_plane(const struct phi_packed *packed, struct phi_packed_plane *p, struct phi_err *err)
{
	const uint64_t matrices = p->whole ? 1 : packed->matrices;
	if (!p->whole) {
		if (!p->block[0] || !p->block[1])
			return phi_fail(err, PHI_FORMAT, "groups of nothing");
		const uint64_t rows = (packed->rows + p->block[0] - 1) / p->block[0];
		const uint64_t columns = (packed->columns + p->block[1] - 1) / p->block[1];
		p->cells[0] = p->along_rows ? phi_packed_words(p, rows) : rows;
		p->cells[1] = p->along_rows ? columns
			: phi_packed_words(p, p->padded > columns ? p->padded : columns);
	}
	if (!phi_mul(p->cells[0], p->cells[1], &p->bytes) ||
		!phi_mul(p->bytes, p->type->bytes, &p->bytes) ||
		!phi_mul(p->bytes, matrices, &p->bytes))
		return phi_fail(err, PHI_LIMIT, "the size does not fit 64 bits");
	if (p->whole && p->cells[0] * p->cells[1] > PHI_PACKED_GROUPS_MAX)
		return phi_fail(err, PHI_LIMIT, "a table of %" PRIu64 " numbers, at most %d",
			p->cells[0] * p->cells[1], PHI_PACKED_GROUPS_MAX);
	return 0;
}

int
phi_packed_settle(struct phi_packed *packed, struct phi_err *err)
{
	uint64_t all;
	if (packed->columns > PHI_PACKED_COLUMNS_MAX)
		return phi_fail(err, PHI_LIMIT, "rows of %" PRIu64 " elements, at most %d",
			packed->columns, PHI_PACKED_COLUMNS_MAX);
	if (packed->rows > UINT64_C(1) << 40 || !phi_mul(packed->rows, packed->columns, &all) ||
		!phi_mul(all, packed->matrices, &all))
		return phi_fail(err, PHI_LIMIT, "the number of elements does not fit 64 bits");
	for (unsigned i = 0; i < packed->nplanes; i++)
		if (settle_plane(packed, &packed->plane[i], err) < 0)
			return -1;
	return 0;
}
