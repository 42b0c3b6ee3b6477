#include "formats/stream/zstd.h"

#include "formats/core/memory.h"

#include <inttypes.h>
#include <zstd.h>

enum {
	BUFFER = 128 << 10, /* a block of zstd */
	WINDOW_LOG = 27,    /* 128 MiB: what the zstd tool takes unasked */
	LEVEL = 3,
};

struct phi_unzstd {
	ZSTD_DStream *stream;
	ZSTD_inBuffer in;
	bool inside; /* a frame has begun and not ended */
	uint8_t bytes[BUFFER];
};

struct phi_unzstd *
phi_unzstd_new(struct phi_err *err)
{
	struct phi_unzstd *const z = phi_alloc(sizeof *z, err);
	if (!z)
		return NULL;
	z->in = (ZSTD_inBuffer){ .src = z->bytes };
	z->inside = false;
	z->stream = ZSTD_createDStream();
	if (z->stream &&
		!ZSTD_isError(ZSTD_DCtx_setParameter(z->stream, ZSTD_d_windowLogMax, WINDOW_LOG)))
		return z;
	phi_fail(err, PHI_MEMORY, "out of memory (zstd)");
	phi_unzstd_free(z);
	return NULL;
}

void
phi_unzstd_free(struct phi_unzstd *z)
{
	if (!z)
		return;
	ZSTD_freeDStream(z->stream);
	phi_free(z);
}

int
phi_unzstd_read(struct phi_unzstd *z, struct phi_member *member, uint64_t *offset, void *dst,
	size_t n, size_t *got, struct phi_err *err)
{
	ZSTD_outBuffer out = { .dst = dst, .size = n };
	bool full = false; /* the last call stopped for want of room: more may come without input */
	while (out.pos < out.size) {
		if (z->in.pos == z->in.size && !full) {
			if (phi_member_read_some(member, offset, z->bytes, BUFFER, &z->in.size, err))
				return -1;
			z->in.pos = 0;
			if (!z->in.size && z->inside)
				return phi_fail(err, PHI_TRUNCATED,
					"the compressed data end too early, at offset %" PRIu64, *offset);
			if (!z->in.size)
				break;
		}
		const size_t status = ZSTD_decompressStream(z->stream, &out, &z->in);
		if (ZSTD_isError(status))
			return phi_fail(err, PHI_FORMAT, "compressed data: %s (before offset %" PRIu64 ")",
				ZSTD_getErrorName(status), *offset);
		z->inside = status != 0;
		full = out.pos == out.size;
	}
	*got = out.pos;
	return 0;
}

struct phi_zstd {
	ZSTD_CStream *stream;
	struct phi_output *output;
	uint8_t bytes[BUFFER];
};

struct phi_zstd *
phi_zstd_new(struct phi_output *output, struct phi_err *err)
{
	struct phi_zstd *const z = phi_alloc(sizeof *z, err);
	if (!z)
		return NULL;
	z->output = output;
	z->stream = ZSTD_createCStream();
	if (z->stream &&
		!ZSTD_isError(ZSTD_CCtx_setParameter(z->stream, ZSTD_c_compressionLevel, LEVEL)) &&
		!ZSTD_isError(ZSTD_CCtx_setParameter(z->stream, ZSTD_c_checksumFlag, 1)))
		return z;
	phi_fail(err, PHI_MEMORY, "out of memory (zstd)");
	phi_zstd_free(z);
	return NULL;
}

void
phi_zstd_free(struct phi_zstd *z)
{
	if (!z)
		return;
	ZSTD_freeCStream(z->stream);
	phi_free(z);
}

static int
run(struct phi_zstd *z, const void *src, size_t n, ZSTD_EndDirective mode, struct phi_err *err)
{
	ZSTD_inBuffer in = { .src = src, .size = n };
	for (;;) {
		ZSTD_outBuffer out = { .dst = z->bytes, .size = BUFFER };
		const size_t left = ZSTD_compressStream2(z->stream, &out, &in, mode);
		if (ZSTD_isError(left))
			return phi_fail(err, PHI_MEMORY, "zstd: %s", ZSTD_getErrorName(left));
		if (out.pos && phi_output_append(z->output, 0, z->bytes, out.pos, err))
			return -1;
		if (mode == ZSTD_e_end ? !left : in.pos == in.size)
			return 0;
	}
}

int
phi_zstd_write(struct phi_zstd *z, const void *src, size_t n, struct phi_err *err)
{
	return run(z, src, n, ZSTD_e_continue, err);
}

int
phi_zstd_end(struct phi_zstd *z, struct phi_err *err)
{
	return run(z, NULL, 0, ZSTD_e_end, err);
}
