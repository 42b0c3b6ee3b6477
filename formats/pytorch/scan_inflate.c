/* Inflated bytes, examined: in memory while they are few, else in a spool. */
#include "formats/pytorch/scan.h"

#include "formats/core/memory.h"
#include "formats/core/spool.h"

#include <string.h>
#include <zlib.h>

enum { STEP = 64 << 10 };

struct held {
	uint8_t *memory;
	size_t capacity;
	uint64_t size;
	struct phi_spool *spool;
	uint32_t crc;
};

static int
hold(struct held *h, const uint8_t *p, size_t n, struct phi_err *err)
{
	if (!n)
		return 0;
	h->crc = (uint32_t)crc32(h->crc, p, (unsigned)n);
	if (!h->spool && h->size + n > PHI_SCAN_MEMORY_MAX) {
		h->spool = phi_spool_new(NULL, err);
		if (!h->spool || phi_spool_write(h->spool, h->memory, (size_t)h->size, err))
			return -1;
		phi_free(h->memory);
		h->memory = NULL;
	}
	h->size += n;
	if (h->spool)
		return phi_spool_write(h->spool, p, n, err);
	while (h->capacity < h->size) {
		const size_t wanted = h->capacity ? 2 * h->capacity : 2 * STEP;
		uint8_t *const grown = phi_realloc(h->memory, wanted, 1, err);
		if (!grown)
			return -1;
		h->memory = grown;
		h->capacity = wanted;
	}
	memcpy(h->memory + h->size - n, p, n);
	return 0;
}

static void *
allocate(void *opaque, unsigned count, unsigned size)
{
	(void)opaque;
	return phi_calloc(count, size, NULL);
}

static void
release(void *opaque, void *p)
{
	(void)opaque;
	phi_free(p);
}

/* Inflates until the stream ends, breaks, or a limit is met. */
static int
pour(struct phi_scan *s, const struct phi_scan_input *in, z_stream *z, struct held *h,
	uint8_t *buffer, struct phi_scan_inflated *out, struct phi_err *err)
{
	for (uint64_t at = 0; at < in->size;) {
		const size_t n = in->size - at < STEP ? (size_t)(in->size - at) : STEP;
		if (phi_scan_read(in, at, buffer, n, err))
			return -1;
		z->next_in = buffer;
		z->avail_in = (unsigned)n;
		int status;
		do {
			z->next_out = buffer + STEP;
			z->avail_out = STEP;
			status = inflate(z, Z_NO_FLUSH);
			const size_t got = STEP - z->avail_out;
			if (status == Z_MEM_ERROR)
				return phi_fail(err, PHI_MEMORY, "out of memory inflating");
			const int charged = phi_scan_charge(s, in, got, err);
			if (charged)
				return charged < 0 ? -1 : 0;
			if (hold(h, buffer + STEP, got, err))
				return -1;
		} while (status == Z_OK && (z->avail_in || !z->avail_out));
		at += n - z->avail_in;
		out->used = at;
		out->good = status == Z_STREAM_END;
		if (status != Z_OK && status != Z_BUF_ERROR)
			return 0;
	}
	return 0;
}

static int
examine(struct phi_scan *s, const struct phi_scan_input *in, const struct held *h,
	struct phi_err *err)
{
	const struct phi_scan_input inner = { .memory = h->spool ? NULL : h->memory,
		.spool = h->spool, .size = h->size, .entry = in->entry, .depth = in->depth + 1,
		.literal = in->literal };
	return h->size ? phi_scan_content(s, &inner, err) : 0;
}

int
phi_scan_inflate(struct phi_scan *s, const struct phi_scan_input *in, int window, bool sure,
	struct phi_scan_inflated *out, struct phi_err *err)
{
	z_stream z = { .zalloc = allocate, .zfree = release };
	struct held h = { 0 };
	*out = (struct phi_scan_inflated){ 0 };
	uint8_t *const buffer = phi_alloc(2 * STEP, err);
	int result = buffer ? 0 : -1;
	if (!result && inflateInit2(&z, window) != Z_OK)
		result = phi_fail(err, PHI_MEMORY, "out of memory inflating");
	if (!result)
		result = pour(s, in, &z, &h, buffer, out, err);
	inflateEnd(&z);
	phi_free(buffer);
	out->crc = h.crc;
	out->size = h.size;
	if (!result && (out->good || sure))
		result = examine(s, in, &h, err);
	phi_free(h.memory);
	phi_spool_free(h.spool);
	return result;
}
