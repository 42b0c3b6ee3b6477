/* Writing a stream: libarchive makes the tar, what it writes passes through a buffer that gathers what is
 * small and lets the rest through as it is. */
#include "formats/stream/stream.h"

#include "formats/core/buffer.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/stream/digests.h"
#include "formats/stream/model_text.h"
#include "formats/stream/zstd.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>

enum { GATHER = 64 << 10, MODE = 0644 };

struct writer {
	struct phi_sink *sink;
	struct archive *archive;
	struct phi_zstd *zstd; /* or NULL */
	struct phi_err err; /* of writing, from within a callback */
	uint8_t gathered[GATHER];
	size_t ngathered;
	XXH3_state_t *hash; /* of the item being written */
	struct phi_digests digests; /* of the items before it: the item's index is their count */
	uint64_t at; /* bytes of the item so far */
	bool abandoned; /* nothing more is to leave */
};

static const struct phi_stream_plan *
planned(const struct writer *w)
{
	return w->sink->plan->state;
}

/* Bytes that leave for good. */
static int
emit(struct writer *w, const void *src, size_t n, struct phi_err *err)
{
	return w->zstd ? phi_zstd_write(w->zstd, src, n, err) :
		phi_output_append(w->sink->output, 0, src, n, err);
}

static int
flush(struct writer *w, struct phi_err *err)
{
	const size_t n = w->ngathered;
	w->ngathered = 0;
	return n ? emit(w, w->gathered, n, err) : 0;
}

static int
gather(struct writer *w, const void *src, size_t n, struct phi_err *err)
{
	if (n > GATHER - w->ngathered && flush(w, err))
		return -1;
	if (n >= GATHER)
		return emit(w, src, n, err);
	memcpy(w->gathered + w->ngathered, src, n);
	w->ngathered += n;
	return 0;
}

static la_ssize_t
write_callback(struct archive *a, void *ctx, const void *src, size_t n)
{
	struct writer *const w = ctx;
	if (!w->abandoned && !gather(w, src, n, &w->err))
		return (la_ssize_t)n;
	archive_set_error(a, EIO, "write failed");
	return -1;
}

static int
fail_archive(struct writer *w, struct phi_err *err)
{
	struct phi_quoted q;
	if (w->err.kind) {
		if (err)
			*err = w->err;
		return -1;
	}
	const char *const text = archive_error_string(w->archive);
	return phi_fail(err, PHI_SYSTEM, "tar: %s", text ? phi_quote(&q, text) : "cannot be written");
}

static int
open_archive(struct writer *w, struct phi_err *err)
{
	w->archive = archive_write_new();
	if (!w->archive)
		return phi_fail(err, PHI_MEMORY, "out of memory");
	if (archive_write_set_format_pax_restricted(w->archive) != ARCHIVE_OK ||
		archive_write_set_bytes_per_block(w->archive, 0) != ARCHIVE_OK ||
		archive_write_open(w->archive, w, NULL, write_callback, NULL) != ARCHIVE_OK)
		return fail_archive(w, err);
	return 0;
}

static int
begin_member(struct writer *w, const char *name, uint64_t size, struct phi_err *err)
{
	struct archive_entry *const entry = archive_entry_new();
	if (!entry)
		return phi_fail(err, PHI_MEMORY, "out of memory");
	archive_entry_set_pathname(entry, name);
	archive_entry_set_size(entry, (la_int64_t)size);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, MODE);
	archive_entry_set_mtime(entry, 0, 0);
	const int status = archive_write_header(w->archive, entry);
	archive_entry_free(entry);
	return status == ARCHIVE_OK ? 0 : fail_archive(w, err);
}

/* The next bytes of the present item. */
static int
put(void *ctx, const void *src, size_t n, struct phi_err *err)
{
	struct writer *const w = ctx;
	XXH3_128bits_update(w->hash, src, n);
	w->at += n;
	return archive_write_data(w->archive, src, n) == (la_ssize_t)n ? 0 : fail_archive(w, err);
}

/* The present item is done: its digest is kept, the next one begins. */
static int
end_item(struct writer *w, struct phi_err *err)
{
	const size_t index = w->digests.count;
	const struct phi_item *const item = &w->sink->plan->items[index];
	struct phi_quoted q;
	if (w->at != item->size)
		return phi_fail(err, PHI_ARGUMENT, "%s is not written whole", phi_quote(&q, item->name));
	if (phi_digests_add(&w->digests, planned(w)->lines[index], XXH3_128bits_digest(w->hash), err))
		return -1;
	XXH3_128bits_reset(w->hash);
	w->at = 0;
	return 0;
}

static int
write_heads(struct writer *w, struct phi_err *err)
{
	const struct phi_plan *const plan = w->sink->plan;
	const struct phi_stream_taker taker = { .take = put, .ctx = w };
	if (begin_member(w, PHI_STREAM_MODEL, plan->items[0].size, err) ||
		phi_stream_model_write(plan->model, planned(w)->known, &taker, err) ||
		end_item(w, err))
		return -1;
	for (size_t i = 1; i < planned(w)->first_tensor; i++) {
		const struct phi_item *const item = &plan->items[i];
		const bool weights = i + 1 == planned(w)->first_tensor;
		if (begin_member(w, item->name, weights ? planned(w)->weights_size : item->size, err) ||
			put(w, item->literal, (size_t)item->size, err) || end_item(w, err))
			return -1;
	}
	return 0;
}

static bool
sequential(const struct phi_sink *sink)
{
	(void)sink;
	return true;
}

static int
begin(struct phi_sink *sink, struct phi_err *err)
{
	struct writer *const w = phi_calloc(1, sizeof *w, err);
	if (!w)
		return -1;
	sink->state = w;
	w->sink = sink;
	w->hash = XXH3_createState();
	if (!w->hash)
		return phi_fail(err, PHI_MEMORY, "out of memory");
	XXH3_128bits_reset(w->hash);
	if (sink->plan->options.compress) {
		w->zstd = phi_zstd_new(sink->output, err);
		if (!w->zstd)
			return -1;
	}
	if (phi_output_add(sink->output, NULL, err) || open_archive(w, err))
		return -1;
	return write_heads(w, err);
}

static int
data(struct phi_sink *sink, const struct phi_item *item, uint64_t offset, const void *src, size_t n,
	struct phi_err *err)
{
	struct writer *const w = sink->state;
	const size_t index = (size_t)(item - sink->plan->items);
	while (w->digests.count < index)
		if (end_item(w, err))
			return -1;
	if (w->digests.count != index || offset != w->at)
		return phi_fail(err, PHI_ARGUMENT, "the stream is written out of order");
	return put(w, src, n, err);
}

static int
write_digests(struct writer *w, struct phi_err *err)
{
	struct phi_buffer line = { 0 };
	const size_t last = w->sink->plan->nitems - 1;
	int status = begin_member(w, PHI_STREAM_DIGESTS, w->sink->plan->items[last].size, err);
	for (size_t i = 0; !status && i < w->digests.count; i++) {
		line.size = 0;
		status = phi_digest_line(&line, &w->digests.items[i], err);
		if (!status && archive_write_data(w->archive, line.data, line.size) !=
			(la_ssize_t)line.size)
			status = fail_archive(w, err);
	}
	phi_buffer_free(&line);
	return status;
}

static int
end(struct phi_sink *sink, struct phi_err *err)
{
	struct writer *const w = sink->state;
	while (w->digests.count + 1 < sink->plan->nitems)
		if (end_item(w, err))
			return -1;
	if (write_digests(w, err))
		return -1;
	if (archive_write_close(w->archive) != ARCHIVE_OK)
		return fail_archive(w, err);
	return flush(w, err) || (w->zstd && phi_zstd_end(w->zstd, err)) ? -1 : 0;
}

static void
close_writer(struct phi_sink *sink)
{
	struct writer *const w = sink->state;
	if (!w)
		return;
	if (w->archive) {
		/* Freeing would pad the member and end the tar properly. Closing is what frees libarchive's
		 * buffers; freeing alone does not when a write has failed. */
		w->abandoned = true;
		archive_write_close(w->archive);
		archive_write_free(w->archive);
	}
	phi_zstd_free(w->zstd);
	phi_digests_free(&w->digests);
	XXH3_freeState(w->hash);
	phi_free(w);
}

const struct phi_sink_ops phi_stream_sink = {
	.sequential = sequential,
	.begin = begin,
	.data = data,
	.end = end,
	.close = close_writer,
};
