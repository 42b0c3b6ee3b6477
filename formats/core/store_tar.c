/* A tar in a random member, as a store.
 *
 *   | header 512 (pax records before it) | data | zeros to 512 | next header ... | 1024 zeros |
 *   ^ header position                                          ^ header position of the next
 *
 * libarchive walks the headers; it says where a header begins, not where data does. But data, rounded
 * up to 512, ends where the next header (or the end mark) begins, so it begins that much earlier. */
#include "formats/core/store_inside.h"

#include "formats/core/checked.h"
#include "formats/core/escape.h"
#include "formats/core/limits.h"
#include "formats/core/memory.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { RECORD = 512, READ_BYTES = 64 << 10 };

struct walker {
	struct phi_store *store;
	uint64_t at; /* where libarchive reads next */
	uint8_t *bytes;
	struct phi_err err; /* of reading, from within a callback */
	struct phi_tar_entry *entries;
	size_t count, capacity;
};

static la_ssize_t
read_more(struct archive *a, void *ctx, const void **block)
{
	struct walker *const w = ctx;
	size_t got;
	*block = w->bytes;
	if (!phi_member_read_some(w->store->outer, &w->at, w->bytes, READ_BYTES, &got, &w->err))
		return (la_ssize_t)got;
	archive_set_error(a, EIO, "read failed");
	return -1;
}

static la_int64_t
skip_ahead(struct archive *a, void *ctx, la_int64_t n)
{
	struct walker *const w = ctx;
	(void)a;
	const uint64_t size = phi_member_size(w->store->outer);
	const uint64_t left = w->at < size ? size - w->at : 0;
	const uint64_t step = (uint64_t)n < left ? (uint64_t)n : left;
	w->at += step;
	return (la_int64_t)step;
}

/* The words of libarchive, or what a callback recorded. */
static int
fail_archive(struct walker *w, struct archive *a, struct phi_err *err)
{
	struct phi_quoted q;
	if (w->err.kind) {
		if (err)
			*err = w->err;
		return -1;
	}
	const char *const text = archive_error_string(a);
	const int64_t at = archive_read_header_position(a);
	phi_quote(&q, text ? text : "cannot be read");
	if (at < 0) /* not even one header */
		return phi_fail(err, PHI_FORMAT, "tar: %s", q.text);
	return phi_fail(err, PHI_FORMAT, "tar: %s (offset %" PRId64 ")", q.text, at);
}

/* "./a" is "a". NULL: not a name of ours. */
static const char *
clean_name(const char *name)
{
	if (!name)
		return NULL;
	while (name[0] == '.' && name[1] == '/')
		for (name += 2; *name == '/'; name++)
			;
	return phi_store_name_safe(name) ? name : NULL;
}

static int
add_entry(struct walker *w, struct archive_entry *entry, struct phi_err *err)
{
	struct phi_quoted q;
	const char *given = archive_entry_pathname(entry);
	if (!given)
		given = archive_entry_pathname_utf8(entry);
	const char *const name = clean_name(given);
	if (!name || strlen(name) > PHI_NAME_MAX)
		return phi_fail(err, PHI_FORMAT, "tar: entry %s: not a name of a file beneath a folder",
			given ? phi_quote(&q, given) : "without a name");
	if (archive_entry_hardlink(entry) || archive_entry_filetype(entry) != AE_IFREG)
		return phi_fail(err, PHI_UNSUPPORTED,
			"tar: entry %s: not a regular file (tar -h stores files in the place of links)",
			phi_quote(&q, name));
	if (archive_entry_sparse_count(entry) > 0)
		return phi_fail(err, PHI_UNSUPPORTED, "tar: entry %s: a sparse file",
			phi_quote(&q, name));
	if (!archive_entry_size_is_set(entry) || archive_entry_size(entry) < 0)
		return phi_fail(err, PHI_FORMAT, "tar: entry %s: no size", phi_quote(&q, name));
	if (w->count == PHI_MEMBERS_MAX)
		return phi_fail(err, PHI_LIMIT, "tar: more than %d entries, the limit", PHI_MEMBERS_MAX);
	if (phi_grow(&w->entries, &w->capacity, w->count, sizeof *w->entries, err))
		return -1;
	struct phi_tar_entry *const e = &w->entries[w->count];
	e->name = phi_arena_strdup(w->store->arena, name, err);
	e->size = (uint64_t)archive_entry_size(entry);
	w->count += e->name != NULL;
	return e->name ? 0 : -1;
}

/* The entry added last ends where the header at `next` begins. */
static int
place_last(struct walker *w, uint64_t header, uint64_t next, struct phi_err *err)
{
	struct phi_tar_entry *const e = &w->entries[w->count - 1];
	struct phi_quoted q;
	uint64_t padded;
	if (!phi_round_up(e->size, RECORD, &padded) || padded > next ||
		next - padded < header + RECORD || next > phi_member_size(w->store->outer))
		return phi_fail(err, PHI_TRUNCATED,
			"tar: entry %s: %" PRIu64 " bytes pass the end of the file (%" PRIu64 ")",
			phi_quote(&q, e->name), e->size, phi_member_size(w->store->outer));
	e->offset = next - padded;
	return 0;
}

static int
walk(struct walker *w, struct archive *a, struct phi_err *err)
{
	struct archive_entry *entry;
	bool pending = false; /* is the last entry's place still to be found? */
	uint64_t header = 0;
	for (;;) {
		/* ARCHIVE_WARN is a name that the locale cannot spell */
		const int status = archive_read_next_header(a, &entry);
		if (status != ARCHIVE_EOF && status != ARCHIVE_OK && status != ARCHIVE_WARN)
			return fail_archive(w, a, err);
		const uint64_t next = (uint64_t)archive_read_header_position(a);
		if (pending && place_last(w, header, next, err))
			return -1;
		if (status == ARCHIVE_EOF)
			return 0;
		header = next;
		pending = archive_entry_filetype(entry) != AE_IFDIR;
		if (pending && add_entry(w, entry, err))
			return -1;
	}
}

static int
walk_archive(struct walker *w, struct phi_err *err)
{
	struct archive *const a = archive_read_new();
	if (!a)
		return phi_fail(err, PHI_MEMORY, "out of memory");
	archive_read_support_filter_none(a);
	archive_read_support_format_tar(a);
	archive_read_set_read_callback(a, read_more);
	archive_read_set_skip_callback(a, skip_ahead);
	archive_read_set_callback_data(a, w);
	const int status = archive_read_open1(a) == ARCHIVE_OK ? walk(w, a, err) :
		fail_archive(w, a, err);
	archive_read_free(a);
	return status;
}

static int
compare_entries(const void *a, const void *b)
{
	const struct phi_tar_entry *const x = a, *const y = b;
	return strcmp(x->name, y->name);
}

/* `tar -c Folder/`: the entries all lie in one folder, whose name then is the model's. */
static int
strip_folder(struct walker *w, struct phi_err *err)
{
	const char *const first = w->count ? w->entries[0].name : "";
	const size_t n = strcspn(first, "/");
	if (!first[n])
		return 0;
	for (size_t i = 0; i < w->count; i++)
		if (strncmp(w->entries[i].name, first, n + 1))
			return 0;
	w->store->base = phi_arena_copy(w->store->arena, first, n, err);
	for (size_t i = 0; i < w->count; i++)
		w->entries[i].name += n + 1;
	return w->store->base ? 0 : -1;
}

static int
keep(struct walker *w, struct phi_err *err)
{
	struct phi_store *const store = w->store;
	if (strip_folder(w, err))
		return -1;
	if (w->count)
		qsort(w->entries, w->count, sizeof *w->entries, compare_entries);
	store->entries = phi_arena_calloc(store->arena, w->count, sizeof *store->entries, err);
	store->names = phi_arena_calloc(store->arena, w->count, sizeof *store->names, err);
	if (!store->entries || !store->names)
		return -1;
	for (size_t i = 0; i < w->count; i++) {
		struct phi_quoted q;
		store->entries[i] = w->entries[i];
		store->names[i] = w->entries[i].name;
		if (i && !strcmp(store->names[i - 1], store->names[i]))
			return phi_fail(err, PHI_FORMAT, "tar: entry %s occurs twice",
				phi_quote(&q, store->names[i]));
	}
	store->nnames = w->count;
	return 0;
}

int
phi_tar_index(struct phi_store *store, struct phi_err *err)
{
	struct walker w = { .store = store };
	w.bytes = phi_alloc(READ_BYTES, err);
	int status = w.bytes ? walk_archive(&w, err) : -1;
	if (!status)
		status = keep(&w, err);
	phi_free(w.bytes);
	phi_free(w.entries);
	return status;
}
