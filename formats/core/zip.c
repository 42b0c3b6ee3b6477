/* The byte picture is in zip.h. */
#include "formats/core/zip.h"

#include "formats/core/bytes.h"
#include "formats/core/checked.h"
#include "formats/core/escape.h"
#include "formats/core/limits.h"
#include "formats/core/memory.h"
#include "formats/core/spool.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
	NAME_MAX_BYTES = PHI_NAME_MAX,
	DIRECTORY_MAX = 256 << 20,
};

struct directory {
	uint64_t offset, size, count;
};

/* The end records */

/* The last end record whose comment ends with the tail, or NULL. */
static const uint8_t *
find_end(const uint8_t *tail, size_t n)
{
	if (n < PHI_ZIP_END)
		return NULL;
	for (size_t at = n - PHI_ZIP_END + 1; at-- > 0;)
		if (phi_load32(tail + at) == 0x06054B50 &&
			phi_load16(tail + at + 20) == n - PHI_ZIP_END - at)
			return tail + at;
	return NULL;
}

/* Values of all ones are in the zip64 record that a locator before the end record points to. */
static int
read_zip64(struct phi_member *member, uint64_t end, struct directory *d, uint64_t *limit,
	struct phi_err *err)
{
	uint8_t locator[PHI_ZIP_LOCATOR], record[PHI_ZIP_END64];
	if (end < PHI_ZIP_LOCATOR)
		return 0;
	if (phi_member_read(member, end - PHI_ZIP_LOCATOR, locator, PHI_ZIP_LOCATOR, err))
		return -1;
	if (phi_load32(locator) != 0x07064B50)
		return 0;
	const uint64_t at = phi_load64(locator + 8);
	if (!phi_fits(at, PHI_ZIP_END64, end - PHI_ZIP_LOCATOR))
		return phi_fail(err, PHI_FORMAT,
			"zip: zip64 end record at %" PRIu64 " is out of place", at);
	if (phi_member_read(member, at, record, PHI_ZIP_END64, err))
		return -1;
	if (phi_load32(record) != 0x06064B50 || phi_load32(record + 16) ||
		phi_load32(record + 20) || phi_load64(record + 24) != phi_load64(record + 32))
		return phi_fail(err, PHI_FORMAT, "zip: bad zip64 end record at %" PRIu64, at);
	const struct directory wide = { .count = phi_load64(record + 32),
		.size = phi_load64(record + 40),
		.offset = phi_load64(record + 48) };
	if ((d->count != UINT16_MAX && d->count != wide.count) ||
		(d->size != UINT32_MAX && d->size != wide.size) ||
		(d->offset != UINT32_MAX && d->offset != wide.offset))
		return phi_fail(err, PHI_FORMAT, "zip: the two end records disagree");
	*d = wide;
	*limit = at;
	return 0;
}

/* Finds the directory; *limit is where it must end: at the first of the end records. */
static int
locate_directory(
	struct phi_member *member, struct directory *d, uint64_t *limit, struct phi_err *err)
{
	const uint64_t size = phi_member_size(member);
	const size_t n = size < PHI_ZIP_TAIL ? (size_t)size : PHI_ZIP_TAIL;
	uint8_t *const tail = phi_alloc(n, err);
	if (!tail || phi_member_read(member, size - n, tail, n, err)) {
		phi_free(tail);
		return -1;
	}
	int result = 0;
	const uint8_t *const end = find_end(tail, n);
	if (!end) {
		result = phi_fail(err, PHI_TRUNCATED,
			"zip: no end record; the file is cut or has bytes behind its end");
	} else if (phi_load16(end + 4) || phi_load16(end + 6) ||
		   phi_load16(end + 8) != phi_load16(end + 10)) {
		result = phi_fail(err, PHI_UNSUPPORTED, "zip: one of several disks");
	} else {
		d->count = phi_load16(end + 10);
		d->size = phi_load32(end + 12);
		d->offset = phi_load32(end + 16);
		*limit = size - n + (uint64_t)(end - tail);
		result = read_zip64(member, *limit, d, limit, err);
	}
	phi_free(tail);
	return result;
}

/* The central directory */

/* The zip64 extra field: 64-bit values for those fields that are all ones, in this order. */
static int
widen(struct phi_zip_entry *e, const uint8_t *extra, size_t n, struct phi_err *err)
{
	uint64_t *const fields[] = { &e->size, &e->stored, &e->header };
	while (n >= 4) {
		const size_t length = phi_load16(extra + 2);
		if (length > n - 4)
			break; /* padding that is no list of fields: not our concern */
		if (phi_load16(extra) == 1) {
			size_t at = 0;
			for (int i = 0; i < 3; i++) {
				if (*fields[i] != UINT32_MAX)
					continue;
				if (at + 8 > length)
					return phi_fail(
						err, PHI_FORMAT, "zip64 field is too short");
				*fields[i] = phi_load64(extra + 4 + at);
				at += 8;
			}
			return 0;
		}
		extra += 4 + length;
		n -= 4 + length;
	}
	return 0;
}

static int
parse_entry(struct phi_zip *zip, struct phi_arena *arena, const uint8_t *p, size_t left,
	size_t *used, struct phi_err *err)
{
	if (left < PHI_ZIP_CENTRAL || phi_load32(p) != 0x02014B50)
		return phi_fail(err, PHI_FORMAT, "zip: directory entry %zu is none", zip->count);
	const size_t name = phi_load16(p + 28), extra = phi_load16(p + 30),
		     comment = phi_load16(p + 32);
	*used = PHI_ZIP_CENTRAL + name + extra + comment;
	if (*used > left)
		return phi_fail(
			err, PHI_FORMAT, "zip: directory entry %zu passes its end", zip->count);
	if (!name || name > NAME_MAX_BYTES || memchr(p + PHI_ZIP_CENTRAL, '\0', name))
		return phi_fail(
			err, PHI_FORMAT, "zip: directory entry %zu has no proper name", zip->count);
	struct phi_zip_entry *const e = &zip->entries[zip->count];
	struct phi_quoted q;
	*e = (struct phi_zip_entry){
		.name = phi_arena_copy(arena, p + PHI_ZIP_CENTRAL, name, err),
		.crc = phi_load32(p + 16),
		.stored = phi_load32(p + 20),
		.size = phi_load32(p + 24),
		.header = phi_load32(p + 42),
		.deflated = phi_load16(p + 10) == 8,
		.readable = !(phi_load16(p + 8) & 1) &&
			    (phi_load16(p + 10) == 8 || phi_load16(p + 10) == 0),
	};
	if (!e->name)
		return -1;
	if (widen(e, p + PHI_ZIP_CENTRAL + name, extra, err))
		return phi_context(err, "zip: %s", phi_quote(&q, e->name));
	const int there = phi_names_add(zip->names, e->name, name, (uint32_t)zip->count, err);
	if (there > 0)
		return phi_fail(err, PHI_FORMAT, "zip: %s: is there twice", phi_quote(&q, e->name));
	zip->count++;
	return there;
}

static int
parse_directory(struct phi_zip *zip, struct phi_arena *arena, const struct directory *d,
	const uint8_t *bytes, struct phi_err *err)
{
	size_t at = 0;
	zip->entries = phi_calloc((size_t)d->count, sizeof *zip->entries, err);
	if (!zip->entries)
		return -1;
	for (uint64_t i = 0; i < d->count; i++) {
		size_t used = 0;
		if (parse_entry(zip, arena, bytes + at, (size_t)d->size - at, &used, err))
			return -1;
		at += used;
	}
	return at == d->size ? 0 : phi_fail(err, PHI_FORMAT, "zip: the directory has a tail");
}

static int
load_directory(struct phi_zip *zip, struct phi_arena *arena, const struct directory *d,
	uint64_t limit, struct phi_err *err)
{
	if (!phi_fits(d->offset, d->size, limit) || d->offset + d->size != limit)
		return phi_fail(err, PHI_FORMAT,
			"zip: directory of %" PRIu64 " bytes at %" PRIu64
			" does not end at its end record (%" PRIu64 ")",
			d->size, d->offset, limit);
	if (d->count > PHI_MEMBERS_MAX || d->size > DIRECTORY_MAX)
		return phi_fail(err, PHI_LIMIT, "zip: more than %d entries", PHI_MEMBERS_MAX);
	if (d->count > d->size / PHI_ZIP_CENTRAL)
		return phi_fail(err, PHI_FORMAT, "zip: directory too small for %" PRIu64 " entries",
			d->count);
	uint8_t *const bytes = phi_alloc((size_t)d->size, err);
	int result =
		bytes ? phi_member_read(zip->member, d->offset, bytes, (size_t)d->size, err) : -1;
	if (!result)
		result = parse_directory(zip, arena, d, bytes, err);
	phi_free(bytes);
	return result;
}

/* The local headers */

/* Sizes in a local header may be zero (they come behind the data) or all ones (zip64), or must
 * agree. */
static bool
agrees(uint32_t local, uint64_t central, bool descriptor)
{
	return local == UINT32_MAX || local == central || (descriptor && local == 0);
}

static int
check_local(struct phi_zip *zip, struct phi_zip_entry *e, uint64_t limit, uint8_t *buffer,
	struct phi_err *err)
{
	const size_t name = strlen(e->name);
	if (!phi_fits(e->header, PHI_ZIP_LOCAL + name, limit))
		return phi_fail(err, PHI_FORMAT,
			"header at %" PRIu64 " is beyond the entries' end (%" PRIu64 ")", e->header,
			limit);
	if (phi_member_read(zip->member, e->header, buffer, PHI_ZIP_LOCAL + name, err))
		return -1;
	if (phi_load32(buffer) != 0x04034B50)
		return phi_fail(err, PHI_FORMAT, "no header at %" PRIu64, e->header);
	const bool descriptor = phi_load16(buffer + 6) & 8;
	const bool deflated = phi_load16(buffer + 8) == 8;
	if (phi_load16(buffer + 26) != name || memcmp(buffer + PHI_ZIP_LOCAL, e->name, name) != 0 ||
		(e->readable && deflated != e->deflated) ||
		!agrees(phi_load32(buffer + 18), e->stored, descriptor) ||
		!agrees(phi_load32(buffer + 22), e->size, descriptor))
		return phi_fail(err, PHI_FORMAT,
			"header at %" PRIu64 " disagrees with the directory", e->header);
	e->data = e->header + PHI_ZIP_LOCAL + name + phi_load16(buffer + 28);
	if (!phi_fits(e->data, e->stored, limit))
		return phi_fail(err, PHI_TRUNCATED,
			"%" PRIu64 " bytes at offset %" PRIu64 " pass the entries' end (%" PRIu64
			")",
			e->stored, e->data, limit);
	if (e->readable && !e->deflated && e->size != e->stored)
		return phi_fail(err, PHI_FORMAT,
			"stored as it is, but with two sizes (%" PRIu64 " and %" PRIu64 ")",
			e->stored, e->size);
	return 0;
}

static int
by_header(const void *a, const void *b)
{
	const struct phi_zip_entry *const x = *(const struct phi_zip_entry *const *)a;
	const struct phi_zip_entry *const y = *(const struct phi_zip_entry *const *)b;
	return x->header < y->header ? -1 : x->header > y->header;
}

const struct phi_zip_entry **
phi_zip_sorted(const struct phi_zip *zip, struct phi_err *err)
{
	const struct phi_zip_entry **const sorted =
		phi_calloc(zip->count + 1, sizeof(struct phi_zip_entry *), err);
	for (size_t i = 0; sorted && i < zip->count; i++)
		sorted[i] = &zip->entries[i];
	if (sorted)
		qsort(sorted, zip->count, sizeof *sorted, by_header);
	return sorted;
}

/* One range of bytes under many names is how ten megabytes become terabytes. */
static int
check_overlap(const struct phi_zip *zip, struct phi_err *err)
{
	const struct phi_zip_entry **const sorted = phi_zip_sorted(zip, err);
	int result = sorted ? 0 : -1;
	for (size_t i = 1; !result && i < zip->count; i++) {
		struct phi_quoted q;
		if (sorted[i - 1]->data + sorted[i - 1]->stored > sorted[i]->header)
			result = phi_fail(err, PHI_FORMAT, "zip: %s: overlaps the entry before it",
				phi_quote(&q, sorted[i]->name));
	}
	phi_free(sorted);
	return result;
}

static int
check_entries(struct phi_zip *zip, uint64_t limit, struct phi_err *err)
{
	uint8_t *const buffer = phi_alloc(PHI_ZIP_LOCAL + NAME_MAX_BYTES, err);
	int result = buffer ? 0 : -1;
	for (size_t i = 0; !result && i < zip->count; i++) {
		struct phi_quoted q;
		if (check_local(zip, &zip->entries[i], limit, buffer, err))
			result = phi_context(err, "zip: %s", phi_quote(&q, zip->entries[i].name));
	}
	phi_free(buffer);
	return result ? result : check_overlap(zip, err);
}

int
phi_zip_open(struct phi_zip *zip, struct phi_member *member, struct phi_arena *arena,
	struct phi_err *err)
{
	struct directory d = { 0 };
	uint64_t limit = 0;
	zip->member = member;
	zip->names = phi_names_new(err);
	if (!zip->names || locate_directory(member, &d, &limit, err) ||
		load_directory(zip, arena, &d, limit, err))
		return -1;
	zip->directory = d.offset;
	zip->end = limit;
	return check_entries(zip, d.offset, err);
}

void
phi_zip_free(struct phi_zip *zip)
{
	phi_free(zip->entries);
	phi_names_free(zip->names);
	*zip = (struct phi_zip){ 0 };
}

const struct phi_zip_entry *
phi_zip_find(const struct phi_zip *zip, const char *name)
{
	const uint32_t i = phi_names_find(zip->names, name, strlen(name));
	return i == PHI_NONE ? NULL : &zip->entries[i];
}

/* Data */

/* Where inflated bytes go: memory of just the right size, a spool, or nowhere. */
struct drain {
	uint8_t *memory;
	struct phi_spool *spool;
	uint64_t done;
	uint32_t crc;
};

static int
drain(struct drain *d, const uint8_t *bytes, size_t n, struct phi_err *err)
{
	d->crc = (uint32_t)crc32(d->crc, bytes, (unsigned)n);
	if (d->spool && phi_spool_write(d->spool, bytes, n, err))
		return -1;
	if (d->memory)
		memcpy(d->memory + d->done, bytes, n);
	d->done += n;
	return 0;
}

static void *
zlib_alloc(void *opaque, unsigned count, unsigned size)
{
	(void)opaque;
	return phi_calloc(count, size, NULL);
}

static void
zlib_free(void *opaque, void *p)
{
	(void)opaque;
	phi_free(p);
}

enum { STEP = 64 << 10 };

/* Copies or inflates; exactly entry->size bytes must come, and all the stored ones be used. */
static int
pour(const struct phi_zip *zip, const struct phi_zip_entry *e, struct drain *to, z_stream *z,
	uint8_t *buffer, struct phi_err *err)
{
	uint8_t *const in = buffer, *const out = buffer + STEP;
	int status = Z_OK;
	for (uint64_t at = 0; at < e->stored;) {
		const size_t n = e->stored - at < STEP ? (size_t)(e->stored - at) : STEP;
		if (phi_member_read(zip->member, e->data + at, in, n, err))
			return -1;
		at += n;
		if (!e->deflated) {
			if (drain(to, in, n, err))
				return -1;
			continue;
		}
		z->next_in = in;
		z->avail_in = (unsigned)n;
		do {
			z->next_out = out;
			z->avail_out = STEP;
			status = status == Z_STREAM_END ? Z_DATA_ERROR : inflate(z, Z_NO_FLUSH);
			const size_t got = STEP - z->avail_out;
			if (status == Z_MEM_ERROR)
				return phi_fail(err, PHI_MEMORY, "out of memory inflating");
			if ((status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) ||
				got > e->size - to->done)
				return phi_fail(err, PHI_FORMAT,
					"bad deflated data near offset %" PRIu64, e->data + at);
			if (drain(to, out, got, err))
				return -1;
		} while (z->avail_in || (!z->avail_out && status != Z_STREAM_END));
	}
	if (to->done != e->size || (e->deflated && status != Z_STREAM_END))
		return phi_fail(err, PHI_FORMAT, "inflates to %" PRIu64 " bytes, not to %" PRIu64,
			to->done, e->size);
	return 0;
}

static int
extract(const struct phi_zip *zip, const struct phi_zip_entry *e, struct drain *to,
	struct phi_err *err)
{
	struct phi_quoted q;
	z_stream z = { .zalloc = zlib_alloc, .zfree = zlib_free };
	if (!e->readable)
		return phi_fail(err, PHI_UNSUPPORTED,
			"zip: %s: is encrypted, or neither stored nor "
			"deflated",
			phi_quote(&q, e->name));
	uint8_t *const buffer = phi_alloc(2 * STEP, err);
	if (!buffer)
		return -1;
	int result = 0;
	if (e->deflated && inflateInit2(&z, -MAX_WBITS) != Z_OK)
		result = phi_fail(err, PHI_MEMORY, "out of memory inflating");
	else if (pour(zip, e, to, &z, buffer, err))
		result = phi_context(err, "zip: %s", phi_quote(&q, e->name));
	if (e->deflated)
		inflateEnd(&z);
	phi_free(buffer);
	return result;
}

/* Deflate makes at most 1032 bytes of one: what claims more lies about its size. */
static int
check_ratio(const struct phi_zip_entry *e, struct phi_err *err)
{
	struct phi_quoted q;
	if (e->deflated && e->size / 1032 > e->stored + 1)
		return phi_fail(err, PHI_FORMAT,
			"zip: %s: %" PRIu64 " bytes cannot come of %" PRIu64,
			phi_quote(&q, e->name), e->size, e->stored);
	return 0;
}

int
phi_zip_load(const struct phi_zip *zip, const struct phi_zip_entry *e, uint64_t limit, void **data,
	bool *crc_right, struct phi_err *err)
{
	struct phi_quoted q;
	if (e->size > limit)
		return phi_fail(err, PHI_LIMIT, "zip: %s: %" PRIu64 " bytes, more than %" PRIu64,
			phi_quote(&q, e->name), e->size, limit);
	if (check_ratio(e, err))
		return -1;
	struct drain to = { .memory = phi_alloc((size_t)e->size, err) };
	if (!to.memory || extract(zip, e, &to, err)) {
		phi_free(to.memory);
		return -1;
	}
	*data = to.memory;
	*crc_right = to.crc == e->crc;
	return 0;
}

int
phi_zip_verify(const struct phi_zip *zip, const struct phi_zip_entry *e, bool *crc_right,
	struct phi_err *err)
{
	struct drain to = { 0 };
	if (check_ratio(e, err) || extract(zip, e, &to, err))
		return -1;
	*crc_right = to.crc == e->crc;
	return 0;
}

int
phi_zip_inflate(const struct phi_zip *zip, const struct phi_zip_entry *e, struct phi_spool *spool,
	struct phi_err *err)
{
	struct drain to = { .spool = spool };
	return check_ratio(e, err) ? -1 : extract(zip, e, &to, err);
}
