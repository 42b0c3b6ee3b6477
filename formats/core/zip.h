/* The directory of a zip archive, as strict as a container of weights can be: the central directory
 * is the truth and the local headers must agree with it, entries may not overlap, names may not
 * repeat.
 *
 *     entry:   "PK\3\4", 26 bytes, name, extra; then its data
 *              (the local header; torch pads by the extra)
 *     ...
 *     "PK\1\2" records, one an entry              (the central directory)
 *     "PK\6\6" record, "PK\6\7" locator           (zip64; torch always writes them)
 *     "PK\5\6" record, comment                    (the end; the comment ends with the file)
 *
 * Source: APPNOTE 6.3.10; facts/pytorch_tf.md 1.2. */
#ifndef PHI_CORE_ZIP_H
#define PHI_CORE_ZIP_H

#include "formats/core/arena.h"
#include "formats/core/names.h"
#include "formats/core/store.h"

enum {
	/* Bytes of the records' fixed parts. */
	PHI_ZIP_LOCAL = 30,
	PHI_ZIP_CENTRAL = 46,
	PHI_ZIP_END64 = 56,
	PHI_ZIP_LOCATOR = 20,
	PHI_ZIP_END = 22,
	PHI_ZIP_TAIL = PHI_ZIP_END + 65535, /* the end record and the longest comment */
	/* Flags of an entry. */
	PHI_ZIP_DESCRIPTOR = 1 << 3, /* checksum and sizes stand behind the data */
	PHI_ZIP_UTF8 = 1 << 11,
};

struct phi_spool;

struct phi_zip_entry {
	const char *name; /* no NUL inside; in the arena */
	uint64_t header; /* offset of its local header */
	uint64_t data; /* offset of its bytes in the file */
	uint64_t stored; /* bytes in the file */
	uint64_t size; /* bytes when inflated; equal to stored if not deflated */
	uint32_t crc;
	bool deflated;
	bool readable; /* neither encrypted nor of another method */
};

struct phi_zip {
	struct phi_member *member; /* lent */
	struct phi_zip_entry *entries; /* in the order of the central directory */
	size_t count;
	struct phi_names *names;
	uint64_t directory; /* offset of the central directory, where the entries end */
	uint64_t end; /* and where that ends: at the first end record */
};

/* Reads and checks the directory of a random member into a zeroed zip. Free it also after a
 * failure. */
int phi_zip_open(struct phi_zip *zip, struct phi_member *member, struct phi_arena *arena,
	struct phi_err *err);
void phi_zip_free(struct phi_zip *zip);

/* The entry of this name, or NULL. */
const struct phi_zip_entry *phi_zip_find(const struct phi_zip *zip, const char *name);

/* The entries in the order of the file, to be freed; NULL: out of memory. */
const struct phi_zip_entry **phi_zip_sorted(const struct phi_zip *zip, struct phi_err *err);

/* A whole entry of at most `limit` bytes into fresh memory (phi_free). *crc_right: does the
 * checksum agree? (torch can be told to write none, so that is for the caller to judge.) */
int phi_zip_load(const struct phi_zip *zip, const struct phi_zip_entry *entry, uint64_t limit,
	void **data, bool *crc_right, struct phi_err *err);
/* Reads a whole entry only to see whether its checksum agrees. */
int phi_zip_verify(const struct phi_zip *zip, const struct phi_zip_entry *entry, bool *crc_right,
	struct phi_err *err);
/* Inflates an entry to the end of the spool: exactly entry->size bytes. */
int phi_zip_inflate(const struct phi_zip *zip, const struct phi_zip_entry *entry,
	struct phi_spool *spool, struct phi_err *err);

#endif
