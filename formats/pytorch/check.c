/* What torch.load lets pass in a zip that could be described: storages that nothing refers to, that
 * cannot be mapped, or whose checksum is wrong (it looks at none). The rules are in phi-inspect(1).
 * Of a file from before zips all is checked when it is opened. */
#include "formats/pytorch/check.h"

#include "formats/core/memory.h"
#include "formats/core/zip_check.h"
#include "formats/pytorch/read.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 }; /* torch.save's */

struct check {
	const struct phi_findings *findings;
	struct phi_arena *arena;
	struct phi_zip zip;
	struct phi_names *keys; /* of storages that a pickle refers to, with their folder */
	const char *file;
};

/* "NAME/data/0": what is behind NAME, or NULL. */
static const char *
inner_name(const struct phi_zip_entry *e)
{
	const char *const slash = strchr(e->name, '/');
	return slash ? slash + 1 : NULL;
}

static bool
is_storage(const struct phi_zip_entry *e)
{
	const char *const name = inner_name(e);
	return name && (!strncmp(name, "data/", 5) ||
			       (!strncmp(name, "constants/", 10) && !strchr(name + 10, '.')));
}

static int
add_keys(struct check *c, const struct phi_pickle *persistent, const char *folder,
	struct phi_err *err)
{
	for (; persistent; persistent = persistent->next) {
		const struct phi_pickle *const key = phi_pickle_item(persistent->items[0], 2);
		if (!key || key->kind != PHI_PICKLE_STRING)
			continue;
		const char *const name = phi_arena_printf(
			c->arena, err, "%s/%.*s", folder, (int)key->string.size, key->string.data);
		if (!name || phi_names_add(c->keys, name, strlen(name), 0, err) < 0)
			return -1;
	}
	return 0;
}

/* The keys that pickle `folder`.pkl refers to. */
static int
read_keys(struct check *c, const char *folder, struct phi_err *err)
{
	const char *const first = c->zip.entries[0].name;
	const char *const path = phi_arena_printf(
		c->arena, err, "%.*s/%s.pkl", (int)strcspn(first, "/"), first, folder);
	const struct phi_zip_entry *const entry = path ? phi_zip_find(&c->zip, path) : NULL;
	struct phi_pickle_tree tree;
	void *text;
	bool crc_right;
	if (!entry)
		return path ? 0 : -1;
	if (phi_zip_load(&c->zip, entry, PHI_PICKLE_MAX, &text, &crc_right, err))
		return -1;
	int result = phi_pickle_run(c->arena, text, (size_t)entry->size, &tree, err);
	if (!result)
		result = add_keys(c, tree.persistent, folder, err);
	phi_free(text);
	return result;
}

static int
check_references(const struct check *c, struct phi_err *err)
{
	for (size_t i = 0; i < c->zip.count; i++) {
		const struct phi_zip_entry *const e = &c->zip.entries[i];
		if (!is_storage(e) ||
			phi_names_find(c->keys, inner_name(e), strlen(inner_name(e))) != PHI_NONE)
			continue;
		if (phi_finding_emit(c->findings, PHI_FINDING_INVALID, "pytorch.unreferenced",
			    c->file, e->name, e->header, err,
			    "%" PRIu64 " bytes that nothing refers to", e->size))
			return -1;
	}
	return 0;
}

/* One line for all storages that are wrong in this way. */
static int
check_places(const struct check *c, bool (*wrong)(const struct phi_zip_entry *e), const char *rule,
	const char *what, struct phi_err *err)
{
	const struct phi_zip_entry *first = NULL;
	uint64_t count = 0;
	for (size_t i = 0; i < c->zip.count; i++) {
		const struct phi_zip_entry *const e = &c->zip.entries[i];
		if (is_storage(e) && e->size && wrong(e) && !count++)
			first = e;
	}
	return !count ? 0
		      : phi_finding_emit(c->findings, PHI_FINDING_INFO, rule, c->file, first->name,
				first->data, err, "%s (%" PRIu64 " in all)", what, count);
}

static bool
is_unaligned(const struct phi_zip_entry *e)
{
	return !e->deflated && e->data % ALIGNMENT;
}

static bool
is_deflated(const struct phi_zip_entry *e)
{
	return e->deflated;
}

static int
check_zip(struct check *c, struct phi_err *err)
{
	if (read_keys(c, "data", err) || read_keys(c, "constants", err))
		return -1;
	return check_references(c, err) ||
			       check_places(c, is_unaligned, "pytorch.alignment",
				       "not at a multiple of 64, where torch puts it", err) ||
			       check_places(c, is_deflated, "pytorch.compressed",
				       "compressed, cannot be mapped", err) ||
			       phi_zip_check(&c->zip, c->findings, err)
		       ? -1
		       : 0;
}

int
phi_pytorch_check(
	struct phi_source *source, const struct phi_findings *findings, struct phi_err *err)
{
	const struct phi_pytorch *const s = source->state;
	if (!s->zip)
		return 0;
	struct check c = { .findings = findings,
		.arena = phi_arena_new(err),
		.keys = phi_names_new(err),
		.file = phi_member_name(s->member) };
	int result = c.arena && c.keys ? phi_zip_open(&c.zip, s->member, c.arena, err) : -1;
	if (!result)
		result = check_zip(&c, err);
	phi_zip_free(&c.zip);
	phi_names_free(c.keys);
	phi_arena_free(c.arena);
	return result;
}

/* Layout */

static int
tile_storage(void *ctx, size_t entry, struct phi_tiler *tiler, struct phi_err *err)
{
	const struct phi_zip *const zip = ctx;
	const struct phi_zip_entry *const e = &zip->entries[entry];
	return is_storage(e) ? phi_tile(tiler, e->data + e->stored,
				       e->deflated ? "deflated storage" : "storage", e->name, err)
			     : 0;
}

static int
layout_zip(struct phi_member *member, const struct phi_regions *regions, struct phi_err *err)
{
	struct phi_arena *const arena = phi_arena_new(err);
	struct phi_zip zip = { 0 };
	int result = arena ? phi_zip_open(&zip, member, arena, err) : -1;
	if (!result)
		result = phi_zip_layout(&zip, tile_storage, &zip, regions, err);
	phi_zip_free(&zip);
	phi_arena_free(arena);
	return result;
}

/* Of a legacy file: each storage has its count before it, and nothing lies between them. Those that
 * are made have no place of their own. */
static int
by_place(const void *a, const void *b)
{
	const struct phi_storage *const x = *(const struct phi_storage *const *)a;
	const struct phi_storage *const y = *(const struct phi_storage *const *)b;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int
layout_legacy(struct phi_source *source, const struct phi_regions *regions, struct phi_err *err)
{
	const struct phi_pytorch *const s = source->state;
	const struct phi_model *const model = source->model;
	struct phi_tiler tiler = { .regions = regions, .file = phi_member_name(s->member) };
	const struct phi_storage **const sorted =
		phi_calloc(model->nstorages + 1, sizeof(struct phi_storage *), err);
	size_t n = 0;
	int result = sorted ? 0 : -1;
	for (size_t i = 0; sorted && i < model->nstorages; i++)
		if (!s->made || !s->made[i])
			sorted[n++] = &model->storages[i];
	if (sorted)
		qsort(sorted, n, sizeof *sorted, by_place);
	for (size_t i = 0; !result && i < n; i++)
		result = phi_tile(&tiler, sorted[i]->offset - 8, "pickles", NULL, err) ||
					 phi_tile(&tiler, sorted[i]->offset, "count", NULL, err) ||
					 phi_tile(&tiler, sorted[i]->offset + sorted[i]->size,
						 "storage", NULL, err)
				 ? -1
				 : 0;
	phi_free(sorted);
	return result ? -1
		      : phi_tile(&tiler, phi_member_size(s->member), n ? "trailing" : "pickles",
				NULL, err);
}

int
phi_pytorch_layout(
	struct phi_source *source, const struct phi_regions *regions, struct phi_err *err)
{
	const struct phi_pytorch *const s = source->state;
	return s->zip ? layout_zip(s->member, regions, err)
		      : layout_legacy(source, regions, err);
}
