/* What --check and --layout say of any zip: the container, whatever is in it. */
#ifndef PHI_CORE_ZIP_CHECK_H
#define PHI_CORE_ZIP_CHECK_H

#include "formats/core/tile.h"
#include "formats/core/zip.h"

/* Tiles the stored bytes of an entry, from entry->data on. */
typedef int phi_zip_tile_entry(
	void *ctx, size_t entry, struct phi_tiler *tiler, struct phi_err *err);

/* Every byte of the file: "entry header", then what `inside` makes of an entry (NULL: "entry"),
 * "descriptor", "gap" (bytes that belong to no entry), "directory", "end". */
int phi_zip_layout(const struct phi_zip *zip, phi_zip_tile_entry *inside, void *ctx,
	const struct phi_regions *regions, struct phi_err *err);

/* Reads all entries. Rules: zip.checksum, zip.no-checksums (all are 0: torch can be told to write
 * none), zip.damaged (deflated data), zip.gap. */
int phi_zip_check(
	const struct phi_zip *zip, const struct phi_findings *findings, struct phi_err *err);

#endif
