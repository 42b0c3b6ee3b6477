/* Planning files that are zips of stored entries, written in one pass: sizes are known when the plan is
 * made, checksums when the data has passed. There are two styles. That of torch's own writer, to the byte:
 *
 *     entry:  "PK\3\4" u16 version 0, flags 0x0808, method 0, u32 time 0, u32 crc 0, u32 size 0, 0,
 *                u16 name, extra
 *             the name, FOLDER/NAME
 *             extra: zip64 (below), then "FB" u16 n, n bytes 'Z', so that the data begins at 64 k
 *             the data
 *             "PK\7\10" u32 crc, u32 size, size       (u64 sizes where there is a zip64 extra)
 *     ...
 *     "PK\1\2" u16 made by 0, version 0, flags, method 0, u32 time 0, u32 crc, u32 size, size,
 *                u16 name, extra, comment 0, disk 0, attributes 0, u32 0, u32 offset; name, extra
 *     "PK\6\6" ... "PK\6\7" ... "PK\5\6"              zip64's end, its locator, the end: always
 *
 * An entry has a zip64 extra if its size or its offset is 2^32 - 1 or more: u16 1, u16 n, and those of
 * u64 size, u64 size (0 in the local header), u64 offset that do not fit their fields. An entry without
 * data has no descriptor, and flags 0x0800. Source: APPNOTE 6.3.10; files of torch 2.13.
 *
 * And that of Python's zipfile as numpy.savez uses it: the checksum stands in the local header (so there
 * is no writing to a pipe), where sizes are all ones and in a zip64 extra, always; no descriptor, no
 * alignment; version 4.5 (made by Unix), 1980-01-01, mode 0600, flag 0x0800 where a name is not ASCII;
 * zip64 extras in the directory, and zip64's end, only where a number is 2^31 or more (entries: 2^16).
 * Source: files of NumPy 2.4 on Python 3.11.
 *
 * A plan may hold several such files, and others beside them; its format's sink is phi_sink_zip. */
#ifndef PHI_CORE_ZIP_PLAN_H
#define PHI_CORE_ZIP_PLAN_H

#include "formats/core/buffer.h"
#include "formats/core/plan.h"
#include "formats/core/sink.h"

struct phi_zip_style {
	bool python; /* else torch */
	uint64_t wide; /* numbers from here on go to the zip64 extra */
	uint16_t made, needed, date; /* versions; days since 1980 */
	uint32_t attributes;
};
extern const struct phi_zip_style phi_zip_torch, phi_zip_python;

struct phi_zip_record {
	const char *name;    /* with its folder */
	uint64_t header;     /* offset of its local header */
	uint64_t size;
	uint32_t crc;	     /* of bytes that the plan knows, their share of the whole */
	size_t item;	     /* of the plan: its data; SIZE_MAX if the plan knows them */
};

/* Makes the `size` bytes of a record from those before it in its file: records[0 .. n), crcs alike. */
typedef int phi_zip_seal(const struct phi_zip_record *records, const uint32_t *crcs, size_t n,
	void *dst, size_t size, struct phi_err *err);

/* Four bytes, or those of a sealed record, that a literal item leaves open. In the order of the items. */
struct phi_zip_patch {
	size_t item;
	uint64_t offset;     /* in the file */
	uint32_t record;     /* whose checksum it is, or whose bytes */
	uint32_t first;	     /* of its file's records */
	phi_zip_seal *seal;  /* or NULL: a checksum */
};

/* The state of such a plan: plan->state, in the plan's arena. */
struct phi_zip_set {
	struct phi_zip_record *records;
	struct phi_zip_patch *patches;
	size_t nrecords, records_capacity, npatches, patches_capacity;
};

/* One file while it is planned. Records are added in order; everything but data is gathered and
 * becomes an item at the next data, or at the end. */
struct phi_zip_file {
	struct phi_plan *plan;
	struct phi_zip_set *set;
	const struct phi_zip_style *style;
	const char *folder;  /* of all names, or ""; lent */
	unsigned file;
	uint32_t first;	     /* its records begin here */
	uint64_t at;	     /* where the next byte goes */
	uint64_t data;	     /* where the data of the last record begins */
	struct phi_buffer gathered; /* the bytes that end there and belong to no item yet */
	size_t open;	     /* patches from here on lie in them */
};

/* Begins planned file number `file`, just added and empty. Free it also after a failure. */
int phi_zip_plan_open(struct phi_zip_file *zip, struct phi_plan *plan, unsigned file,
	const struct phi_zip_style *style, const char *folder, struct phi_err *err);
void phi_zip_plan_free(struct phi_zip_file *zip);

/* A record whose bytes are known. */
int phi_zip_plan_bytes(struct phi_zip_file *zip, const char *name, const void *bytes, size_t size,
	struct phi_err *err);
/* A record whose data is `n` bytes known and then the plan's next item of `size` bytes, to be added by
 * the caller at zip->data. */
int phi_zip_plan_data(struct phi_zip_file *zip, const char *name, const void *bytes, size_t n,
	uint64_t size, struct phi_err *err);
/* A record whose bytes follow from the checksums before it. */
int phi_zip_plan_sealed(struct phi_zip_file *zip, const char *name, size_t size, phi_zip_seal *seal,
	struct phi_err *err);
/* The directory and the end. */
int phi_zip_plan_close(struct phi_zip_file *zip, struct phi_err *err);

/* The sink of such plans: flat, with checksums. Chunks may come in any order: a checksum is linear, so
 * each adds its share whenever it comes. */
extern const struct phi_sink_ops phi_sink_zip;

#endif
