/* --scan of zip archives. zip.h refuses an archive with anything odd; here all that any reader could make
 * of one is examined, and what is odd is a finding. The byte picture is in zip.h.
 *
 * Readers find the end record as the last one in the file. From there Python's goes back by the
 * directory's size, miniz (PyTorch's) to the offset given: both are followed. Every byte that no entry
 * and no record has is a gap, and its content is examined too. */
#include "formats/pytorch/scan.h"

#include "formats/core/bytes.h"
#include "formats/core/checked.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/core/zip.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
	ENCRYPTED = 1 | 0x20 | 0x40 | 0x2000, /* flags with which readers refuse, or do not */
};

struct entry {
	const char *name; /* escaped */
	uint64_t header, data, end, stored, size;
	uint32_t crc, attributes;
	uint16_t flags, method;
	bool placed;
};

struct zip {
	struct phi_scan *s;
	const struct phi_scan_input *in;
	struct phi_names *names;
	struct entry *entries;
	size_t count, capacity;
	uint64_t end;			   /* of the archive: where the end record stands */
	uint64_t directory, limit;	   /* the directory's bytes */
	uint64_t size, offset, stated;	   /* what the end records say; stated: entries */
	uint64_t after;			   /* the end record's end, with its comment */
	bool wide;
};

static int
load(const struct zip *z, uint64_t at, void *dst, size_t n, bool *there, struct phi_err *err)
{
	*there = phi_fits(at, n, z->in->size);
	return *there ? phi_scan_read(z->in, at, dst, n, err) : 0;
}

static int
signed_as(const struct zip *z, uint64_t at, uint32_t signature, bool *yes, struct phi_err *err)
{
	uint8_t bytes[4];
	if (load(z, at, bytes, sizeof bytes, yes, err))
		return -1;
	*yes = *yes && phi_load32(bytes) == signature;
	return 0;
}

/* The end records */

static int
find_end(struct zip *z, bool *found, struct phi_err *err)
{
	const size_t n = z->in->size < PHI_ZIP_TAIL ? (size_t)z->in->size : PHI_ZIP_TAIL;
	const uint64_t from = z->in->size - n;
	*found = false;
	if (n < PHI_ZIP_END)
		return 0;
	uint8_t *const copy = z->in->memory ? NULL : phi_alloc(n, err);
	if (!z->in->memory && (!copy || phi_scan_read(z->in, from, copy, n, err))) {
		phi_free(copy);
		return -1;
	}
	const uint8_t *const tail = copy ? copy : z->in->memory + z->in->base + from;
	for (size_t at = n - PHI_ZIP_END + 1; !*found && at-- > 0;) {
		const uint8_t *const p = tail + at;
		if (p[0] != 'P' || phi_load32(p) != 0x06054B50)
			continue;
		*found = true;
		z->end = from + at;
		z->stated = phi_load16(p + 10);
		z->size = phi_load32(p + 12);
		z->offset = phi_load32(p + 16);
		z->after = z->end + PHI_ZIP_END + phi_load16(p + 20);
		if (z->after > z->in->size)
			z->after = z->in->size;
	}
	phi_free(copy);
	return 0;
}

static int
read_wide(struct zip *z, struct phi_err *err)
{
	uint8_t locator[PHI_ZIP_LOCATOR], record[PHI_ZIP_END64];
	bool there = z->end >= PHI_ZIP_LOCATOR;
	z->limit = z->end;
	if (!there || load(z, z->end - PHI_ZIP_LOCATOR, locator, PHI_ZIP_LOCATOR, &there, err))
		return there ? -1 : 0;
	if (!there || phi_load32(locator) != 0x07064B50)
		return 0;
	uint64_t at = phi_load64(locator + 8);
	if (load(z, at, record, PHI_ZIP_END64, &there, err))
		return -1;
	/* Behind a prefix, the record is where it must be. */
	if (!there || phi_load32(record) != 0x06064B50) {
		at = z->end - PHI_ZIP_LOCATOR - (z->end >= PHI_ZIP_LOCATOR + PHI_ZIP_END64 ? PHI_ZIP_END64 : 0);
		if (load(z, at, record, PHI_ZIP_END64, &there, err))
			return -1;
	}
	if (!there || phi_load32(record) != 0x06064B50)
		return phi_scan_emit(z->s, z->in, PHI_RULE_ZIP_BROKEN, z->end - PHI_ZIP_LOCATOR, err,
			"the zip64 record is missing");
	if (at + PHI_ZIP_END64 != z->end - PHI_ZIP_LOCATOR || phi_load64(record + 24) != phi_load64(record + 32) ||
		(z->stated != UINT16_MAX && z->stated != phi_load64(record + 32)) ||
		(z->size != UINT32_MAX && z->size != phi_load64(record + 40)) ||
		(z->offset != UINT32_MAX && z->offset != phi_load64(record + 48))) {
		if (phi_scan_emit(z->s, z->in, PHI_RULE_ZIP_DIRECTORY, at, err,
			"the two end records disagree"))
			return -1;
	}
	z->stated = phi_load64(record + 32);
	z->size = phi_load64(record + 40);
	z->offset = phi_load64(record + 48);
	z->limit = at;
	z->wide = true;
	return 0;
}

/* The directory */

static void
widen(struct entry *e, const uint8_t *extra, size_t n)
{
	uint64_t *const fields[] = { &e->size, &e->stored, &e->header };
	while (n >= 4) {
		const size_t length = phi_load16(extra + 2);
		if (length > n - 4)
			return;
		size_t at = 0;
		for (int i = 0; phi_load16(extra) == 1 && i < 3; i++)
			if (*fields[i] == UINT32_MAX && at + 8 <= length) {
				*fields[i] = phi_load64(extra + 4 + at);
				at += 8;
			}
		extra += 4 + length;
		n -= 4 + length;
	}
}

static bool
improper(const char *name, size_t n)
{
	if (!n || memchr(name, '\0', n) || memchr(name, '\\', n) || name[0] == '/' ||
		(n > 1 && name[1] == ':'))
		return true;
	for (size_t i = 0; i < n;) {
		const char *const slash = memchr(name + i, '/', n - i);
		const size_t m = slash ? (size_t)(slash - name) - i : n - i;
		if (m == 2 && name[i] == '.' && name[i + 1] == '.')
			return true;
		i += m + 1;
	}
	return false;
}

static int
check_name(struct zip *z, const struct entry *e, const char *name, size_t n, struct phi_err *err)
{
	if (improper(name, n) && phi_scan_emit(z->s, z->in, PHI_RULE_ZIP_NAME, UINT64_MAX, err,
		"%s leaves the folder, or is no proper name", e->name))
		return -1;
	if (e->attributes >> 28 == 0xA && phi_scan_emit(z->s, z->in, PHI_RULE_ZIP_LINK, UINT64_MAX, err,
		"%s is a link", e->name))
		return -1;
	const char *const raw = phi_arena_copy(z->s->arena, name, n, err);
	const int there = raw ? phi_names_add(z->names, raw, n, (uint32_t)z->count, err) : -1;
	if (there <= 0)
		return there;
	return phi_scan_emit(z->s, z->in, PHI_RULE_ZIP_DUPLICATE, UINT64_MAX, err,
		"%s is there twice", e->name);
}

/* One record; *used 0: there is none. */
static int
read_record(struct zip *z, struct phi_scan_window *w, uint64_t at, uint64_t shift, uint64_t *used,
	struct phi_err *err)
{
	size_t left;
	char quoted[256];
	*used = 0;
	const uint8_t *p = phi_scan_look(w, at, PHI_ZIP_CENTRAL, &left, err);
	if (!p || phi_load32(p) != 0x02014B50)
		return !p && left >= PHI_ZIP_CENTRAL ? -1 : 0;
	const size_t name = phi_load16(p + 28), extra = phi_load16(p + 30);
	const size_t comment = phi_load16(p + 32);
	/* Together at most twice the window; the name and the zip64 field come first. */
	const size_t want = PHI_ZIP_CENTRAL + name + (extra < 1024 ? extra : 1024);
	if (want > PHI_SCAN_WINDOW)
		return 0;
	p = phi_scan_look(w, at, want, &left, err);
	if (!p)
		return left >= want ? -1 : 0;
	if (phi_grow(&z->entries, &z->capacity, z->count, sizeof *z->entries, err))
		return -1;
	struct entry *const e = &z->entries[z->count];
	*e = (struct entry){ .flags = phi_load16(p + 8), .method = phi_load16(p + 10),
		.crc = phi_load32(p + 16), .stored = phi_load32(p + 20), .size = phi_load32(p + 24),
		.attributes = phi_load16(p + 4) >> 8 == 3 ? phi_load32(p + 38) : 0,
		.header = phi_load32(p + 42) };
	phi_escape(quoted, sizeof quoted, (const char *)p + PHI_ZIP_CENTRAL, name);
	e->name = phi_arena_strdup(z->s->arena, quoted, err);
	widen(e, p + PHI_ZIP_CENTRAL + name, want - PHI_ZIP_CENTRAL - name);
	e->header += shift;
	if (!e->name || check_name(z, e, (const char *)p + PHI_ZIP_CENTRAL, name, err))
		return -1;
	z->count++;
	*used = PHI_ZIP_CENTRAL + name + extra + comment;
	return 0;
}

/* The records from `at` on. */
static int
read_directory(struct zip *z, uint64_t at, uint64_t limit, uint64_t shift, uint64_t *end,
	struct phi_err *err)
{
	struct phi_scan_window w = { .in = z->in };
	uint64_t used = 1;
	int result = 0;
	while (!result && used && at < limit) {
		if (z->count == PHI_SCAN_ENTRIES_MAX) {
			result = phi_scan_emit(z->s, z->in, PHI_RULE_LIMIT, at, err,
				"more than %d entries", PHI_SCAN_ENTRIES_MAX);
			break;
		}
		result = read_record(z, &w, at, shift, &used, err);
		at += used;
	}
	phi_scan_window_free(&w);
	*end = at;
	return result;
}

/* Finds the directory where either reader does. *archive: there is one. */
static int
read_directories(struct zip *z, bool *archive, struct phi_err *err)
{
	bool before, stated, empty, front;
	uint64_t end = 0, other;
	z->directory = z->size <= z->limit ? z->limit - z->size : UINT64_MAX;
	if (signed_as(z, z->directory, 0x02014B50, &before, err) ||
		signed_as(z, z->offset, 0x02014B50, &stated, err) ||
		signed_as(z, 0, 0x04034B50, &front, err))
		return -1;
	empty = !z->stated && !z->size;
	*archive = before || stated || empty || front;
	if (!*archive || empty)
		return 0;
	const bool apart = before && z->directory != z->offset;
	if (!before && !stated)
		return phi_scan_emit(z->s, z->in, PHI_RULE_ZIP_BROKEN, z->end, err,
			"there is no directory where the end record says");
	if (!before)
		z->directory = z->offset;
	if (read_directory(z, z->directory, z->limit, apart && z->directory > z->offset
			? z->directory - z->offset : 0, &end, err))
		return -1;
	if (apart && stated && (read_directory(z, z->offset, z->limit, 0, &other, err) ||
		phi_scan_emit(z->s, z->in, PHI_RULE_ZIP_DIRECTORY, z->offset, err, "there are two directories")))
		return -1;
	if (!(apart && stated) && (z->count != z->stated || end != z->limit) &&
		phi_scan_emit(z->s, z->in, PHI_RULE_ZIP_DIRECTORY, end, err,
			"the directory has %zu entries, the end record says %" PRIu64, z->count, z->stated))
		return -1;
	return apart ? phi_scan_emit(z->s, z->in, PHI_RULE_ZIP_PREFIX, z->offset, err,
		"the directory is not at the offset given") : 0;
}

/* Entries */

static bool
agrees(uint32_t local, uint64_t central, bool descriptor)
{
	return local == UINT32_MAX || local == central || (descriptor && !local);
}

static int
place(struct zip *z, struct entry *e, struct phi_err *err)
{
	uint8_t local[PHI_ZIP_LOCAL], name[1024];
	bool there;
	if (load(z, e->header, local, PHI_ZIP_LOCAL, &there, err))
		return -1;
	if (!there || phi_load32(local) != 0x04034B50)
		return phi_scan_emit(z->s, z->in, PHI_RULE_ZIP_DATA, e->header, err,
			"%s: there is no entry at its offset", e->name);
	const size_t n = phi_load16(local + 26);
	const size_t taken = n < sizeof name ? n : sizeof name;
	e->data = e->header + PHI_ZIP_LOCAL + n + phi_load16(local + 28);
	if (load(z, e->header + PHI_ZIP_LOCAL, name, taken, &there, err))
		return -1;
	const uint64_t larger = e->method || e->stored > e->size ? e->stored : e->size;
	if (!there || e->data > z->in->size)
		return phi_scan_emit(z->s, z->in, PHI_RULE_ZIP_DATA, e->header, err,
			"%s: begins beyond the end", e->name);
	const bool cut = larger > z->in->size - e->data;
	e->end = cut ? z->in->size : e->data + larger;
	e->placed = true;
	if (cut && phi_scan_emit(z->s, z->in, PHI_RULE_ZIP_DATA, e->data, err,
		"%s: passes the end", e->name))
		return -1;
	char quoted[256];
	const bool descriptor = phi_load16(local + 6) & PHI_ZIP_DESCRIPTOR;
	phi_escape(quoted, sizeof quoted, (const char *)name, taken);
	if (strcmp(quoted, e->name) && phi_scan_emit(z->s, z->in, PHI_RULE_ZIP_HEADER, e->header, err,
		"%s: its own header says %s", e->name, quoted))
		return -1;
	if (phi_load16(local + 8) == e->method && !((phi_load16(local + 6) ^ e->flags) & ENCRYPTED) &&
		agrees(phi_load32(local + 18), e->stored, descriptor) &&
		agrees(phi_load32(local + 22), e->size, descriptor) &&
		agrees(phi_load32(local + 14), e->crc, descriptor) &&
		(e->method || e->flags & ENCRYPTED || e->size == e->stored))
		return 0;
	return phi_scan_emit(z->s, z->in, PHI_RULE_ZIP_HEADER, e->header, err,
		"%s: its own header disagrees with the directory", e->name);
}

static int
crc_of(const struct phi_scan_input *in, uint32_t *crc, struct phi_err *err)
{
	struct phi_scan_window w = { .in = in };
	int result = 0;
	*crc = 0;
	for (uint64_t at = 0; at < in->size;) {
		size_t left;
		const uint8_t *const p = phi_scan_look(&w, at, 1, &left, err);
		if (!p) {
			result = -1;
			break;
		}
		*crc = (uint32_t)crc32(*crc, p, (unsigned)left);
		at += left;
	}
	phi_scan_window_free(&w);
	return result;
}

/* Did the bytes come out as the directory says? Those said to be encrypted must, to be taken for plain. */
static int
check_data(struct zip *z, const struct entry *e, bool right, struct phi_err *err)
{
	const bool sealed = e->flags & ENCRYPTED;
	if (sealed)
		return phi_scan_emit(z->s, z->in, right ? PHI_RULE_ZIP_FLAGS : PHI_RULE_ZIP_ENCRYPTED,
			e->data, err, right ? "%s: is said to be encrypted, and is not"
					    : "%s: is encrypted", e->name);
	return right ? 0 : phi_scan_emit(z->s, z->in, PHI_RULE_ZIP_CRC, e->data, err,
		"%s: its checksum or size is wrong", e->name);
}

static int
examine(struct zip *z, const struct entry *e, struct phi_err *err)
{
	struct phi_scan_input part = phi_scan_part(z->in, e->data, e->end - e->data);
	struct phi_scan_inflated out;
	uint32_t crc;
	part.entry = z->in->entry
		? phi_arena_printf(z->s->arena, err, "%s!%s", z->in->entry, e->name) : e->name;
	part.origin = 0;
	part.depth++;
	if (!part.entry)
		return -1;
	if (e->method == 0) {
		if (crc_of(&part, &crc, err) || check_data(z, e, crc == e->crc, err))
			return -1;
		return phi_scan_content(z->s, &part, err);
	}
	if (e->method != 8)
		return phi_scan_emit(z->s, z->in, PHI_RULE_ZIP_METHOD, e->data, err,
			"%s: compressed by method %u", e->name, (unsigned)e->method) ? -1
			: phi_scan_raw(z->s, &part, err);
	part.depth--; /* phi_scan_inflate counts it */
	if (phi_scan_inflate(z->s, &part, -MAX_WBITS, true, &out, err))
		return -1;
	if (!out.good && !(e->flags & ENCRYPTED))
		return phi_scan_emit(z->s, z->in, PHI_RULE_ZIP_DATA, e->data + out.used, err,
			"%s: its deflated data is broken", e->name);
	return check_data(z, e, out.good && out.crc == e->crc && out.size == e->size, err);
}

/* Bytes of no entry */

static int
all_zero(const struct phi_scan_input *in, bool *zero, struct phi_err *err)
{
	struct phi_scan_window w = { .in = in };
	int result = 0;
	*zero = true;
	for (uint64_t at = 0; *zero && !result && at < in->size;) {
		size_t left;
		const uint8_t *const p = phi_scan_look(&w, at, 1, &left, err);
		result = p ? 0 : -1;
		for (size_t i = 0; p && i < left && *zero; i++)
			*zero = !p[i];
		at += left;
	}
	phi_scan_window_free(&w);
	return result;
}

static int
gap(struct zip *z, uint64_t from, uint64_t to, enum phi_scan_rule rule, const char *what,
	struct phi_err *err)
{
	struct phi_scan_input part = phi_scan_part(z->in, from, to - from);
	bool zero;
	part.depth++;
	if (all_zero(&part, &zero, err))
		return -1;
	if (zero)
		return 0;
	if (what && phi_scan_emit(z->s, z->in, rule, from, err, "%" PRIu64 " bytes %s", to - from, what))
		return -1;
	return phi_scan_content(z->s, &part, err);
}

static int
by_header(const void *a, const void *b)
{
	const struct entry *const x = a, *const y = b;
	return x->header < y->header ? -1 : x->header > y->header;
}

/* What follows an entry whose sizes come behind it. */
static bool
is_descriptor(const struct entry *e, uint64_t size)
{
	return e && e->flags & PHI_ZIP_DESCRIPTOR && (size == 12 || size == 16 || size == 20 || size == 24);
}

static int
check_gaps(struct zip *z, struct phi_err *err)
{
	uint64_t at = 0;
	const struct entry *last = NULL;
	if (z->count)
		qsort(z->entries, z->count, sizeof *z->entries, by_header);
	for (size_t i = 0; i <= z->count; i++) {
		const struct entry *const e = i < z->count ? &z->entries[i] : NULL;
		if (e && !e->placed)
			continue;
		const uint64_t next = e ? e->header : z->count ? z->directory : z->limit;
		if (next < at && phi_scan_emit(z->s, z->in, PHI_RULE_ZIP_OVERLAP, next, err,
			"%s shares bytes with what is before it", e ? e->name : "the directory"))
			return -1;
		if (next > at && !is_descriptor(last, next - at) &&
			gap(z, at, next, last ? PHI_RULE_ZIP_GAP : PHI_RULE_ZIP_PREFIX,
				last ? "belong to no entry" : "stand before the archive", err))
			return -1;
		if (e && e->end > at)
			at = e->end;
		last = e ? e : last;
	}
	if (z->after > z->end + PHI_ZIP_END && gap(z, z->end + PHI_ZIP_END, z->after, PHI_RULE_ZIP_TRAILING, NULL, err))
		return -1;
	return z->after < z->in->size
		? gap(z, z->after, z->in->size, PHI_RULE_ZIP_TRAILING, "follow the archive", err) : 0;
}

static int
run(struct zip *z, bool *archive, struct phi_err *err)
{
	bool found, front;
	*archive = false;
	if (find_end(z, &found, err) || signed_as(z, 0, 0x04034B50, &front, err))
		return -1;
	if (!found)
		return front && !z->in->literal ? phi_scan_emit(z->s, z->in, PHI_RULE_ZIP_BROKEN, 0, err,
			"an archive without its end") : 0;
	z->names = phi_names_new(err);
	if (!z->names || read_wide(z, err) || read_directories(z, archive, err))
		return -1;
	if (!*archive)
		return 0;
	for (size_t i = 0; i < z->count; i++)
		if (place(z, &z->entries[i], err))
			return -1;
	if (check_gaps(z, err))
		return -1;
	for (size_t i = 0; i < z->count && !z->s->full; i++)
		if (z->entries[i].placed && examine(z, &z->entries[i], err))
			return -1;
	return 0;
}

int
phi_scan_zip(struct phi_scan *s, const struct phi_scan_input *in, bool *archive, struct phi_err *err)
{
	struct zip z = { .s = s, .in = in };
	const int result = run(&z, archive, err);
	phi_names_free(z.names);
	phi_free(z.entries);
	return result;
}
