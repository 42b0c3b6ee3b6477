/* The byte picture is in zip_plan.h. */
#include "formats/core/zip_plan.h"

#include "formats/core/arena.h"
#include "formats/core/bytes.h"
#include "formats/core/checked.h"
#include "formats/core/limits.h"
#include "formats/core/zip.h"

#include <inttypes.h>
#include <zlib.h>

enum {
	ALIGNMENT = 64, /* of data: memory maps of it hold vectors */
};

const struct phi_zip_style phi_zip_torch = { .wide = UINT32_MAX };
const struct phi_zip_style phi_zip_python = { .python = true,
	.wide = UINT64_C(1) << 31,
	.made = 3 << 8 | 45,
	.needed = 45,
	.date = 1 << 5 | 1,
	.attributes = UINT32_C(0600) << 16 };

static bool
is_wide(const struct phi_zip_file *zip, const struct phi_zip_record *r)
{
	return r->size >= zip->style->wide || r->header >= zip->style->wide;
}

/* The extra; `stored` is what stands for the second size. Returns its bytes, at most 28. */
static size_t
put_zip64(uint8_t *dst, bool sizes, bool header, const struct phi_zip_record *r, uint64_t stored)
{
	size_t n = 4;
	if (!sizes && !header)
		return 0;
	if (sizes) {
		phi_store64(dst + n, r->size);
		phi_store64(dst + n + 8, stored);
		n += 16;
	}
	if (header) {
		phi_store64(dst + n, r->header);
		n += 8;
	}
	phi_store16(dst, 1);
	phi_store16(dst + 2, (uint16_t)(n - 4));
	return n;
}

static bool
is_ascii(const char *name)
{
	for (; *name; name++)
		if ((unsigned char)*name >= 0x80)
			return false;
	return true;
}

static uint16_t
flags_of(const struct phi_zip_file *zip, const struct phi_zip_record *r)
{
	if (zip->style->python)
		return is_ascii(r->name) ? 0 : PHI_ZIP_UTF8;
	return r->size ? PHI_ZIP_UTF8 | PHI_ZIP_DESCRIPTOR : PHI_ZIP_UTF8;
}

/* Room for one more; the arena keeps what was outgrown. */
static void *
grow(struct phi_arena *arena, void *old, size_t *capacity, size_t count, size_t size,
	struct phi_err *err)
{
	if (count < *capacity)
		return old;
	const size_t more = *capacity ? 2 * *capacity : 64;
	void *const items = phi_arena_calloc(arena, more, size, err);
	if (!items)
		return NULL;
	if (count)
		memcpy(items, old, count * size);
	*capacity = more;
	return items;
}

static struct phi_zip_record *
add_record(struct phi_zip_file *zip, const char *name, uint64_t size, struct phi_err *err)
{
	struct phi_zip_set *const set = zip->set;
	struct phi_zip_record *const records = grow(zip->plan->arena, set->records,
		&set->records_capacity, set->nrecords, sizeof *records, err);
	if (!records)
		return NULL;
	set->records = records;
	struct phi_zip_record *const r = &records[set->nrecords];
	*r = (struct phi_zip_record){ .header = zip->at, .size = size, .item = SIZE_MAX };
	r->name = phi_arena_printf(zip->plan->arena, err, "%s%s%s", zip->folder,
		*zip->folder ? "/" : "", name);
	if (!r->name)
		return NULL;
	set->nrecords++;
	if (strlen(r->name) > PHI_NAME_MAX || size > INT64_MAX / 2 || zip->at > INT64_MAX / 2) {
		phi_fail(err, PHI_LIMIT, "the tensors are too large for one file");
		return NULL;
	}
	return r;
}

static int
add_patch(struct phi_zip_file *zip, size_t record, phi_zip_seal *seal, struct phi_err *err)
{
	struct phi_zip_set *const set = zip->set;
	struct phi_zip_patch *const patches = grow(zip->plan->arena, set->patches,
		&set->patches_capacity, set->npatches, sizeof *patches, err);
	if (!patches)
		return -1;
	set->patches = patches;
	patches[set->npatches++] = (struct phi_zip_patch){ .offset = zip->at,
		.record = (uint32_t)record, .first = zip->first, .seal = seal };
	return 0;
}

static int
gather(struct phi_zip_file *zip, const void *bytes, size_t n, struct phi_err *err)
{
	if (phi_buffer_append(&zip->gathered, bytes, n, err))
		return -1;
	zip->at += n;
	return 0;
}

/* A checksum: known, or open until the data has passed. */
static int
gather_crc(struct phi_zip_file *zip, size_t record, struct phi_err *err)
{
	uint8_t crc[4];
	phi_store32(crc, zip->set->records[record].crc);
	return add_patch(zip, record, NULL, err) || gather(zip, crc, 4, err) ? -1 : 0;
}

/* What was gathered becomes an item. */
static int
flush(struct phi_zip_file *zip, const char *name, struct phi_err *err)
{
	struct phi_plan *const plan = zip->plan;
	const size_t n = zip->gathered.size;
	const void *const literal = phi_arena_copy(plan->arena, zip->gathered.data, n, err);
	for (size_t i = zip->open; i < zip->set->npatches; i++)
		zip->set->patches[i].item = plan->nitems;
	zip->open = zip->set->npatches;
	zip->gathered.size = 0;
	if (!literal)
		return -1;
	return phi_plan_add_literal(plan, name, zip->file, zip->at - n, literal, n, err);
}

int
phi_zip_plan_open(struct phi_zip_file *zip, struct phi_plan *plan, unsigned file,
	const struct phi_zip_style *style, const char *folder, struct phi_err *err)
{
	if (!plan->state)
		plan->state = phi_arena_calloc(plan->arena, 1, sizeof(struct phi_zip_set), err);
	*zip = (struct phi_zip_file){
		.plan = plan, .set = plan->state, .style = style, .folder = folder, .file = file
	};
	if (!zip->set)
		return -1;
	zip->first = (uint32_t)zip->set->nrecords;
	zip->open = zip->set->npatches;
	return 0;
}

void
phi_zip_plan_free(struct phi_zip_file *zip)
{
	phi_buffer_free(&zip->gathered);
}

/* What follows the name in torch's: zip64's if it must be, and up to the alignment. */
static size_t
put_padded_extra(const struct phi_zip_file *zip, const struct phi_zip_record *r, size_t name,
	uint8_t *extra)
{
	const uint64_t wide = zip->style->wide;
	const size_t n = put_zip64(extra, r->size >= wide, r->header >= wide, r, 0);
	const size_t rest = (size_t)((zip->at + PHI_ZIP_LOCAL + name + n + 4) % ALIGNMENT);
	const size_t padding = rest ? ALIGNMENT - rest : 0;
	memcpy(extra + n, "FB", 2);
	phi_store16(extra + n + 2, (uint16_t)padding);
	memset(extra + n + 4, 'Z', padding);
	return n + 4 + padding;
}

static int
gather_local(struct phi_zip_file *zip, size_t record, struct phi_err *err)
{
	const struct phi_zip_record *const r = &zip->set->records[record];
	const struct phi_zip_style *const style = zip->style;
	uint8_t head[PHI_ZIP_LOCAL] = "PK\3\4", extra[32 + ALIGNMENT];
	const size_t name = strlen(r->name);
	const size_t n = style->python ? put_zip64(extra, true, false, r, r->size)
				       : put_padded_extra(zip, r, name, extra);
	const uint32_t size = style->python ? UINT32_MAX : 0;
	phi_store16(head + 4, style->needed);
	phi_store16(head + 6, flags_of(zip, r));
	phi_store16(head + 12, style->date);
	phi_store32(head + 18, size);
	phi_store32(head + 22, size);
	phi_store16(head + 26, (uint16_t)name);
	phi_store16(head + 28, (uint16_t)n);
	return gather(zip, head, 14, err) ||
			(style->python ? gather_crc(zip, record, err) : gather(zip, head + 14, 4, err)) ||
			gather(zip, head + 18, sizeof head - 18, err) ||
			gather(zip, r->name, name, err) || gather(zip, extra, n, err) ? -1 : 0;
}

static int
gather_descriptor(struct phi_zip_file *zip, size_t record, struct phi_err *err)
{
	const struct phi_zip_record *const r = &zip->set->records[record];
	uint8_t sizes[16];
	const size_t width = is_wide(zip, r) ? 8 : 4;
	if (!r->size || zip->style->python)
		return 0;
	for (size_t i = 0; i < 2; i++)
		if (width == 8)
			phi_store64(sizes + 8 * i, r->size);
		else
			phi_store32(sizes + 4 * i, (uint32_t)r->size);
	return gather(zip, "PK\7\10", 4, err) || gather_crc(zip, record, err) ||
			gather(zip, sizes, 2 * width, err) ? -1 : 0;
}

int
phi_zip_plan_bytes(struct phi_zip_file *zip, const char *name, const void *bytes, size_t size,
	struct phi_err *err)
{
	struct phi_zip_record *const r = add_record(zip, name, size, err);
	if (!r)
		return -1;
	r->crc = (uint32_t)crc32_z(0, bytes, size);
	return gather_local(zip, zip->set->nrecords - 1, err) || gather(zip, bytes, size, err) ||
			gather_descriptor(zip, zip->set->nrecords - 1, err) ? -1 : 0;
}

int
phi_zip_plan_sealed(struct phi_zip_file *zip, const char *name, size_t size, phi_zip_seal *seal,
	struct phi_err *err)
{
	struct phi_zip_record *const r = add_record(zip, name, size, err);
	const size_t record = zip->set->nrecords - 1;
	if (!r || gather_local(zip, record, err) || add_patch(zip, record, seal, err) ||
		phi_buffer_zeros(&zip->gathered, size, err))
		return -1;
	zip->at += size;
	return gather_descriptor(zip, record, err);
}

int
phi_zip_plan_data(struct phi_zip_file *zip, const char *name, const void *bytes, size_t n,
	uint64_t size, struct phi_err *err)
{
	uint64_t whole;
	if (!phi_add(n, size, &whole))
		whole = UINT64_MAX; /* refused by its size */
	struct phi_zip_record *const r = add_record(zip, name, whole, err);
	const size_t record = zip->set->nrecords - 1;
	if (!r)
		return -1;
	r->crc = (uint32_t)crc32_combine(crc32_z(0, bytes, n), 0, (z_off_t)size);
	if (gather_local(zip, record, err) || gather(zip, bytes, n, err) ||
		flush(zip, "header", err))
		return -1;
	r->item = zip->plan->nitems;
	zip->data = zip->at;
	zip->at += size;
	return gather_descriptor(zip, record, err);
}

static int
gather_central(struct phi_zip_file *zip, size_t record, struct phi_err *err)
{
	const struct phi_zip_record *const r = &zip->set->records[record];
	uint8_t head[PHI_ZIP_CENTRAL] = "PK\1\2", extra[32];
	const uint64_t wide = zip->style->wide;
	const size_t name = strlen(r->name);
	const size_t n = put_zip64(extra, r->size >= wide, r->header >= wide, r, r->size);
	const uint32_t size = r->size < wide ? (uint32_t)r->size : UINT32_MAX;
	phi_store16(head + 4, zip->style->made);
	phi_store16(head + 6, zip->style->needed);
	phi_store16(head + 8, flags_of(zip, r));
	phi_store16(head + 14, zip->style->date);
	phi_store32(head + 20, size);
	phi_store32(head + 24, size);
	phi_store16(head + 28, (uint16_t)name);
	phi_store16(head + 30, (uint16_t)n);
	phi_store32(head + 38, zip->style->attributes);
	phi_store32(head + 42, r->header < wide ? (uint32_t)r->header : UINT32_MAX);
	return gather(zip, head, 16, err) || gather_crc(zip, record, err) ||
			gather(zip, head + 20, PHI_ZIP_CENTRAL - 20, err) ||
			gather(zip, r->name, name, err) || gather(zip, extra, n, err) ? -1 : 0;
}

static int
gather_end(struct phi_zip_file *zip, uint64_t directory, struct phi_err *err)
{
	uint8_t wide[56] = "PK\6\6", locator[20] = "PK\6\7", end[22] = "PK\5\6";
	const uint64_t count = zip->set->nrecords - zip->first, size = zip->at - directory;
	phi_store64(wide + 4, sizeof wide - 12);
	/* Torch's, which is miniz: made by Unix, version 3.0. */
	phi_store16(wide + 12, zip->style->python ? 45 : 3 << 8 | 30);
	phi_store16(wide + 14, 45);
	phi_store64(wide + 24, count);
	phi_store64(wide + 32, count);
	phi_store64(wide + 40, size);
	phi_store64(wide + 48, directory);
	phi_store64(locator + 8, zip->at);
	phi_store32(locator + 16, 1);
	phi_store16(end + 8, count < UINT16_MAX ? (uint16_t)count : UINT16_MAX);
	phi_store16(end + 10, count < UINT16_MAX ? (uint16_t)count : UINT16_MAX);
	phi_store32(end + 12, size < UINT32_MAX ? (uint32_t)size : UINT32_MAX);
	phi_store32(end + 16, directory < UINT32_MAX ? (uint32_t)directory : UINT32_MAX);
	const uint64_t limit = zip->style->wide;
	const bool both = !zip->style->python || count > UINT16_MAX || size >= limit ||
			  directory >= limit;
	if (both && (gather(zip, wide, sizeof wide, err) ||
			    gather(zip, locator, sizeof locator, err)))
		return -1;
	return gather(zip, end, sizeof end, err);
}

int
phi_zip_plan_close(struct phi_zip_file *zip, struct phi_err *err)
{
	const uint64_t directory = zip->at;
	for (size_t i = zip->first; i < zip->set->nrecords; i++)
		if (gather_central(zip, i, err))
			return -1;
	return gather_end(zip, directory, err) || flush(zip, "directory", err) ? -1 : 0;
}
