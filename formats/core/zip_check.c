#include "formats/core/zip_check.h"

#include "formats/core/bytes.h"
#include "formats/core/memory.h"

#include <inttypes.h>
#include <string.h>

/* Layout */

/* What lies between an entry's data and the next header: checksum and sizes once more, of 32 or of
 * 64 bits, with a mark before them or without. */
static int
tile_between(const struct phi_zip *zip, const struct phi_zip_entry *e, uint64_t next,
	struct phi_tiler *tiler, struct phi_err *err)
{
	uint8_t bytes[4] = { 0 };
	const uint64_t n = next > tiler->at ? next - tiler->at : 0;
	if (n >= 12 && phi_member_read(zip->member, tiler->at, bytes, sizeof bytes, err))
		return -1;
	const bool marked = phi_load32(bytes) == 0x08074B50;
	const uint64_t small = marked ? 16 : 12, wide = marked ? 24 : 20;
	const bool descriptor =
		(n == small || n == wide) && (marked || phi_load32(bytes) == e->crc);
	return phi_tile(tiler, next, descriptor ? "descriptor" : "gap", NULL, err);
}

static int
tile_entry(const struct phi_zip *zip, const struct phi_zip_entry *e, phi_zip_tile_entry *inside,
	void *ctx, struct phi_tiler *tiler, struct phi_err *err)
{
	if (phi_tile(tiler, e->data, "entry header", e->name, err) ||
		(inside && inside(ctx, (size_t)(e - zip->entries), tiler, err)))
		return -1;
	return phi_tile(tiler, e->data + e->stored, "entry", e->name, err);
}

static int
tile_entries(const struct phi_zip *zip, const struct phi_zip_entry *const *sorted,
	phi_zip_tile_entry *inside, void *ctx, struct phi_tiler *tiler, struct phi_err *err)
{
	const uint64_t first = zip->count ? sorted[0]->header : zip->directory;
	int result = phi_tile(tiler, first, "gap", NULL, err);
	for (size_t i = 0; !result && i < zip->count; i++) {
		const uint64_t next = i + 1 < zip->count ? sorted[i + 1]->header : zip->directory;
		result = tile_entry(zip, sorted[i], inside, ctx, tiler, err);
		if (!result)
			result = tile_between(zip, sorted[i], next, tiler, err);
	}
	return result;
}

int
phi_zip_layout(const struct phi_zip *zip, phi_zip_tile_entry *inside, void *ctx,
	const struct phi_regions *regions, struct phi_err *err)
{
	struct phi_tiler tiler = { .regions = regions, .file = phi_member_name(zip->member) };
	const struct phi_zip_entry **const sorted = phi_zip_sorted(zip, err);
	if (!sorted)
		return -1;
	const int result =
		tile_entries(zip, sorted, inside, ctx, &tiler, err) ||
				phi_tile(&tiler, zip->end, "directory", NULL, err) ||
				phi_tile(&tiler, phi_member_size(zip->member), "end", NULL, err)
			? -1
			: 0;
	phi_free(sorted);
	return result;
}

/* Checking */

static int
report_gap(void *ctx, const struct phi_region *r, struct phi_err *err)
{
	const struct phi_findings *const findings = ctx;
	if (strcmp(r->what, "gap") != 0)
		return 0;
	return phi_finding_emit(findings, PHI_FINDING_INVALID, "zip.gap", r->file, NULL, r->offset,
		err, "%" PRIu64 " bytes at %" PRIu64 " belong to no entry", r->size, r->offset);
}

/* An entry that cannot be inflated is a finding as well; one that cannot be read at all is none. */
static int
check_entry(const struct phi_zip *zip, const struct phi_zip_entry *e,
	const struct phi_findings *findings, struct phi_err *err)
{
	const char *const file = phi_member_name(zip->member);
	struct phi_err why = { 0 };
	bool right;
	if (!e->readable)
		return 0;
	if (phi_zip_verify(zip, e, &right, &why)) {
		if (why.kind != PHI_FORMAT) {
			*err = why;
			return -1;
		}
		return phi_finding_emit(findings, PHI_FINDING_INVALID, "zip.damaged", file, e->name,
			e->data, err, "%s", why.text);
	}
	return right ? 0
		     : phi_finding_emit(findings, PHI_FINDING_INVALID, "zip.checksum", file,
			       e->name, e->data, err, "not the bytes that were written (checksum)");
}

static bool
has_checksums(const struct phi_zip *zip)
{
	for (size_t i = 0; i < zip->count; i++)
		if (zip->entries[i].crc)
			return true;
	return false;
}

int
phi_zip_check(const struct phi_zip *zip, const struct phi_findings *findings, struct phi_err *err)
{
	struct phi_findings to = *findings;
	const struct phi_regions regions = { .emit = report_gap, .ctx = &to };
	if (zip->count > 1 && !has_checksums(zip) &&
		phi_finding_emit(findings, PHI_FINDING_INFO, "zip.no-checksums",
			phi_member_name(zip->member), NULL, UINT64_MAX, err,
			"its entries have no checksums"))
		return -1;
	const bool checked = zip->count == 1 || has_checksums(zip);
	for (size_t i = 0; checked && i < zip->count; i++)
		if (check_entry(zip, &zip->entries[i], findings, err))
			return -1;
	return phi_zip_layout(zip, NULL, NULL, &regions, err);
}
