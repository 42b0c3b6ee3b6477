/* torch's zip container (facts/pytorch_tf.md 1.2). NAME is anything without a slash:
 *
 *     NAME/data.pkl         the object; tensors refer to storages by key
 *     NAME/byteorder        "little" or "big"; absent: little
 *     NAME/data/KEY         a storage
 *     NAME/version, NAME/.format_version, code/, constants.pkl ...   not needed
 */
#include "formats/pytorch/read.h"

#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/core/spool.h"
#include "formats/core/zip.h"
#include "formats/pytorch/walk.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct archive {
	struct phi_source *source;
	const struct phi_open_options *options;
	struct phi_zip zip;
	struct phi_arena *arena; /* of the pickle and the directory: gone after describing */
	const char *folder; /* NAME */
};

static const struct phi_zip_entry *
find(const struct archive *a, const char *name, struct phi_err *err)
{
	const char *const path = phi_arena_printf(a->arena, err, "%s/%s", a->folder, name);
	return path ? phi_zip_find(&a->zip, path) : NULL;
}

static int
find_folder(struct archive *a, struct phi_err *err)
{
	if (!a->zip.count)
		return phi_fail(err, PHI_FORMAT, "zip: empty");
	const char *const first = a->zip.entries[0].name, *const slash = strchr(first, '/');
	if (!slash)
		return phi_fail(err, PHI_UNSUPPORTED, "a zip, but not a torch checkpoint");
	a->folder = phi_arena_copy(a->arena, first, (size_t)(slash - first), err);
	return a->folder ? 0 : -1;
}

static int
read_byteorder(struct archive *a, bool *swap, struct phi_err *err)
{
	const struct phi_zip_entry *const entry = find(a, "byteorder", err);
	void *text;
	bool crc;
	*swap = false;
	if (!entry)
		return 0;
	if (phi_zip_load(&a->zip, entry, 16, &text, &crc, err))
		return -1;
	const bool little = entry->size == 6 && !memcmp(text, "little", 6);
	*swap = entry->size == 3 && !memcmp(text, "big", 3);
	phi_free(text);
	if (!little && !*swap)
		return phi_fail(err, PHI_FORMAT, "byteorder is neither little nor big");
	return 0;
}

/* Storages that are deflated go to the spool, the others stay where they are. */
static int
inflate_storage(
	struct archive *a, const struct phi_zip_entry *entry, size_t index, struct phi_err *err)
{
	struct phi_pytorch *const s = a->source->state;
	const struct phi_spool_options *const options = a->options ? a->options->spool : NULL;
	if (!s->spool)
		s->spool = phi_spool_new(options, err);
	if (!s->spool)
		return phi_context(err, "compressed weights");
	s->spool_offset[index] = phi_spool_size(s->spool);
	return phi_zip_inflate(&a->zip, entry, s->spool, err);
}

static int
place_storage(struct archive *a, const char *file, const char *key, size_t index,
	struct phi_err *err)
{
	struct phi_storage *const storage = &a->source->model->storages[index];
	struct phi_quoted q;
	const struct phi_zip_entry *const entry = find(a, key, err);
	storage->file = file;
	if (!entry)
		return storage->size
			       ? phi_fail(err, PHI_FORMAT, "%s: is missing", phi_quote(&q, key))
			       : 0;
	if (!entry->readable)
		return phi_fail(err, PHI_UNSUPPORTED,
			"%s: is encrypted, or compressed by another "
			"method than deflate",
			phi_quote(&q, key));
	if (entry->size != storage->size)
		return phi_fail(err, PHI_FORMAT,
			"%s: has %" PRIu64 " bytes, but the pickle says %" PRIu64,
			phi_quote(&q, key), entry->size, storage->size);
	storage->offset = entry->data;
	return entry->deflated ? inflate_storage(a, entry, index, err) : 0;
}

static int
place_storages(struct archive *a, struct phi_torch *torch, struct phi_err *err)
{
	struct phi_pytorch *const s = a->source->state;
	const char *const file =
		phi_arena_strdup(a->source->model->arena, phi_member_name(s->member), err);
	s->spool_offset = phi_calloc(torch->count, sizeof *s->spool_offset, err);
	if (!file || !s->spool_offset)
		return -1;
	for (size_t i = 0; i < torch->count; i++) {
		s->spool_offset[i] = UINT64_MAX;
		if (!torch->storages[i].made &&
			place_storage(a, file, torch->storages[i].key, i, err))
			return -1;
	}
	const struct phi_zip_entry *const pickle = find(a, "data.pkl", err);
	return phi_pytorch_settle(a->source, torch, file, pickle ? pickle->data : 0, err);
}

/* Walks a pickle of the archive; its names begin with the prefix, if there is one. */
static int
walk_pickle(struct archive *a, struct phi_torch *torch, const char *name, const char *prefix,
	struct phi_err *err)
{
	const struct phi_zip_entry *const entry = find(a, name, err);
	void *text;
	bool crc_right;
	struct phi_pickle_tree tree;
	struct phi_model *const model = a->source->model;
	if (phi_zip_load(&a->zip, entry, PHI_PICKLE_MAX, &text, &crc_right, err))
		return -1;
	int result = phi_pickle_run(a->arena, text, (size_t)entry->size, &tree, err)
			     ? phi_context(err, "%s", name)
			     : phi_torch_walk(torch, tree.root, prefix, err);
	if (!result && !crc_right)
		result = phi_model_warn(model, err, "%s: its checksum is wrong", name);
	if (!result && tree.used < entry->size)
		result = phi_model_warn(model, err, "%s: %" PRIu64 " bytes follow its end", name,
			entry->size - tree.used);
	phi_free(text);
	return result;
}

/* The object, and the constants of a TorchScript archive: a frozen module has its weights there. */
static int
walk_pickles(struct archive *a, struct phi_torch *torch, struct phi_err *err)
{
	torch->folder = "data";
	if (read_byteorder(a, &torch->swap, err) || walk_pickle(a, torch, "data.pkl", NULL, err))
		return -1;
	torch->folder = "constants";
	if (find(a, "constants.pkl", err) &&
		walk_pickle(a, torch, "constants.pkl", "constants", err))
		return -1;
	return phi_torch_found(torch, err) || place_storages(a, torch, err) ? -1 : 0;
}

static int
describe(struct archive *a, struct phi_err *err)
{
	const struct phi_pytorch *const s = a->source->state;
	struct phi_torch torch;
	struct phi_quoted q;
	if (phi_zip_open(&a->zip, s->member, a->arena, err) || find_folder(a, err))
		return -1;
	if (find(a, ".data/extern_modules", err))
		return phi_fail(err, PHI_UNSUPPORTED,
			"a torch.package, which is code with weights in between; torch.save "
			"them by themselves");
	if (!find(a, "data.pkl", err))
		return phi_fail(err, PHI_UNSUPPORTED,
			"a zip, but not a torch checkpoint: there is no %s/data.pkl",
			phi_quote(&q, a->folder));
	if (phi_torch_open(&torch, a->source->model, err))
		return -1;
	const int result = walk_pickles(a, &torch, err);
	phi_torch_free(&torch);
	return result;
}

int
phi_pytorch_zip(
	struct phi_source *source, const struct phi_open_options *options, struct phi_err *err)
{
	struct archive a = { .source = source, .options = options, .arena = phi_arena_new(err) };
	const int result = a.arena ? describe(&a, err) : -1;
	phi_zip_free(&a.zip);
	phi_arena_free(a.arena);
	return result;
}
