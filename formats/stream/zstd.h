/* The bytes of a stream inside zstd frames (-z), in and out. Frames carry a checksum. Reading accepts
 * several frames, windows up to 128 MiB, and nothing else before, between or behind them. */
#ifndef PHI_STREAM_ZSTD_H
#define PHI_STREAM_ZSTD_H

#include "formats/core/output.h"
#include "formats/core/store.h"

struct phi_unzstd;

struct phi_unzstd *phi_unzstd_new(struct phi_err *err);
void phi_unzstd_free(struct phi_unzstd *z);
/* Fills dst with the next bytes, less only at the end; *offset is the place in the member. */
int phi_unzstd_read(struct phi_unzstd *z, struct phi_member *member, uint64_t *offset, void *dst,
	size_t n, size_t *got, struct phi_err *err);

struct phi_zstd;

/* Writes to file 0 of the output. */
struct phi_zstd *phi_zstd_new(struct phi_output *output, struct phi_err *err);
void phi_zstd_free(struct phi_zstd *z);
int phi_zstd_write(struct phi_zstd *z, const void *src, size_t n, struct phi_err *err);
/* Ends the frame. */
int phi_zstd_end(struct phi_zstd *z, struct phi_err *err);

#endif
