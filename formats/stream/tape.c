#include "formats/stream/tape.h"

#include "formats/core/bytes.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/stream/stream.h"
#include "formats/stream/zstd.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
	ZSTD_MAGIC_LE = 0xfd2fb528,
	DIRECT_LEAST = 32 << 10, /* bytes: below, one read for many small tensors is better */
};

struct phi_tape {
	struct archive *archive;
	struct phi_member *member;
	struct phi_unzstd *zstd; /* or NULL */
	uint64_t at;	   /* in the member: what was read */
	bool ended;	   /* the member has no more */
	uint64_t position, size; /* in the tape's present member */
	uint8_t *into;	 /* of the caller of phi_tape_block: read there, */
	size_t into_size; /* this many bytes, all of them the present member's; or NULL */
	struct phi_err err; /* of reading, from within a callback */
	uint8_t *bytes;
};

static la_ssize_t
read_more(struct archive *a, void *ctx, const void **block)
{
	struct phi_tape *const t = ctx;
	size_t got = 0;
	uint8_t *const to = t->into ? t->into : t->bytes;
	const size_t n = t->into ? t->into_size : PHI_STREAM_BLOCK;
	t->into = NULL;
	*block = to;
	const int status = t->zstd ?
		phi_unzstd_read(t->zstd, t->member, &t->at, to, n, &got, &t->err) :
		phi_member_read_some(t->member, &t->at, to, n, &got, &t->err);
	if (status) {
		archive_set_error(a, EIO, "read failed");
		return -1;
	}
	t->ended |= !got;
	return (la_ssize_t)got;
}

/* What went wrong: in a callback, the end of the input, or the tar itself. */
static int
fail_tape(struct phi_tape *t, struct phi_err *err)
{
	struct phi_quoted q;
	if (t->err.kind) {
		if (err)
			*err = t->err;
		return -1;
	}
	if (t->ended)
		return phi_fail(err, PHI_TRUNCATED, "cut off at offset %" PRIu64, t->at);
	const char *const text = archive_error_string(t->archive);
	return phi_fail(err, PHI_FORMAT, "tar: %s (before offset %" PRIu64 ")",
		text ? phi_quote(&q, text) : "cannot be read", t->at);
}

static int
start(struct phi_tape *t, struct phi_err *err)
{
	const uint8_t *head;
	size_t n;
	if (phi_member_peek(t->member, &head, &n, err))
		return -1;
	if (n >= 4 && phi_load32(head) == (uint32_t)ZSTD_MAGIC_LE) {
		t->zstd = phi_unzstd_new(err);
		if (!t->zstd)
			return -1;
	}
	t->bytes = phi_alloc(PHI_STREAM_BLOCK, err);
	if (!t->bytes)
		return -1;
	t->archive = archive_read_new();
	if (!t->archive)
		return phi_fail(err, PHI_MEMORY, "out of memory");
	archive_read_support_filter_none(t->archive);
	archive_read_support_format_tar(t->archive);
	/* What follows the end mark shall be looked at, not passed over. */
	archive_read_set_options(t->archive, "read_concatenated_archives");
	if (archive_read_open(t->archive, t, NULL, read_more, NULL) != ARCHIVE_OK)
		return fail_tape(t, err);
	return 0;
}

struct phi_tape *
phi_tape_open(struct phi_member *member, struct phi_err *err)
{
	struct phi_tape *const t = phi_calloc(1, sizeof *t, err);
	if (!t)
		return NULL;
	t->member = member;
	if (!start(t, err))
		return t;
	phi_tape_close(t);
	return NULL;
}

void
phi_tape_close(struct phi_tape *t)
{
	if (!t)
		return;
	archive_read_free(t->archive);
	phi_unzstd_free(t->zstd);
	phi_free(t->bytes);
	phi_free(t);
}

static int
check_entry(struct archive_entry *entry, const char **name, uint64_t *size, struct phi_err *err)
{
	struct phi_quoted q;
	*name = archive_entry_pathname(entry);
	if (!*name)
		return phi_fail(err, PHI_FORMAT, "tar: a member without a name");
	if (archive_entry_hardlink(entry) || archive_entry_filetype(entry) != AE_IFREG ||
		archive_entry_sparse_count(entry) > 0 || !archive_entry_size_is_set(entry) ||
		archive_entry_size(entry) < 0)
		return phi_fail(err, PHI_FORMAT, "member %s: not a regular file", phi_quote(&q, *name));
	*size = (uint64_t)archive_entry_size(entry);
	return 1;
}

int
phi_tape_next(struct phi_tape *t, const char **name, uint64_t *size, struct phi_err *err)
{
	struct archive_entry *entry;
	t->position = 0;
	const int status = archive_read_next_header(t->archive, &entry);
	if (status == ARCHIVE_EOF)
		return t->err.kind ? fail_tape(t, err) : 0;
	if (status != ARCHIVE_OK && status != ARCHIVE_WARN)
		return fail_tape(t, err);
	const int there = check_entry(entry, name, size, err);
	t->size = there > 0 ? *size : 0;
	return there;
}

int
phi_tape_expect_end(struct phi_tape *t, struct phi_err *err)
{
	struct archive_entry *entry;
	struct phi_quoted q;
	const int status = archive_read_next_header(t->archive, &entry);
	if (t->err.kind)
		return fail_tape(t, err);
	if (status == ARCHIVE_EOF || (t->ended && status != ARCHIVE_OK && status != ARCHIVE_WARN))
		return 0;
	if (status != ARCHIVE_OK && status != ARCHIVE_WARN)
		return phi_fail(err, PHI_FORMAT, "bytes that are no tar follow the end");
	const char *const name = archive_entry_pathname(entry);
	return phi_fail(err, PHI_FORMAT, "member %s follows the end",
		name ? phi_quote(&q, name) : "without a name");
}

uint64_t
phi_tape_position(const struct phi_tape *t)
{
	if (t->zstd || phi_member_sequential(t->member))
		return UINT64_MAX;
	return (uint64_t)archive_read_header_position(t->archive);
}

/* libarchive hands on what the callback gave without a copy, and asks it for no more than the member's
 * bytes while there are some: so the callback may read to where they are wanted. */
static void
aim(struct phi_tape *t, void *into, uint64_t wanted)
{
	const uint64_t left = t->size - t->position;
	const uint64_t n = wanted < left ? wanted : left;
	const bool worth = into && n >= DIRECT_LEAST;
	t->into = worth ? into : NULL;
	t->into_size = !worth ? 0 : n < PHI_STREAM_BLOCK ? (size_t)n : PHI_STREAM_BLOCK;
}

int
phi_tape_block(struct phi_tape *t, void *into, uint64_t wanted, const uint8_t **block, size_t *n,
	struct phi_err *err)
{
	const void *bytes;
	la_int64_t offset;
	*n = 0;
	aim(t, into, wanted);
	do {
		const int status = archive_read_data_block(t->archive, &bytes, n, &offset);
		if (status == ARCHIVE_EOF) {
			*n = 0;
			return 0;
		}
		if (status != ARCHIVE_OK)
			return fail_tape(t, err);
		if ((uint64_t)offset != t->position || *n > t->size - t->position)
			return phi_fail(err, PHI_FORMAT, "tar: a sparse file");
	} while (!*n);
	t->into = NULL;
	*block = bytes;
	t->position += *n;
	return 0;
}
