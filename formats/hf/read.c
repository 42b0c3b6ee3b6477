#include "formats/hf/read.h"

#include "formats/core/config.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/core/sides.h"
#include "formats/core/st_plan.h"
#include "formats/hf/folder.h"
#include "formats/hf/index.h"

#include <string.h>

static int
read_storage(struct phi_source *source, uint32_t storage, uint64_t offset, void *dst, size_t n,
	struct phi_err *err)
{
	const struct phi_hf *const s = source->state;
	const struct phi_hf_child *const child = &s->children[source->model->storages[storage].inner];
	return phi_source_read(child->source, storage - child->base, offset, dst, n, err);
}

static void
close_state(struct phi_source *source)
{
	struct phi_hf *const s = source->state;
	for (size_t i = 0; i < s->nchildren; i++)
		phi_source_close(s->children[i].source);
	phi_free(s->children);
	phi_names_free(s->said);
	phi_store_close(s->folder);
	phi_free(s);
}

static const struct phi_source_ops ops = {
	.read = read_storage,
	.check = phi_hf_check,
	.layout = phi_hf_layout,
	.close = close_state,
};

static int
describe_config(struct phi_model *model, struct phi_err *err)
{
	const struct phi_side *const config = phi_model_side(model, "config.json");
	if (config && phi_config_describe(model, config->data, config->size, err))
		return phi_context(err, "config.json");
	return 0;
}

/* Weights */

static int
take_tensors(struct phi_model *model, const struct phi_model *from, uint32_t child, uint32_t base,
	struct phi_err *err)
{
	for (size_t i = 0; i < from->nstorages; i++) {
		struct phi_storage *const storage = phi_model_add_storage(model, err);
		if (!storage)
			return -1;
		*storage = from->storages[i];
		storage->inner = child;
	}
	for (size_t i = 0; i < from->ntensors; i++) {
		struct phi_tensor *const tensor = phi_model_add_tensor(model, err);
		if (!tensor)
			return -1;
		*tensor = from->tensors[i];
		tensor->alias = PHI_NONE;
		for (unsigned k = 0; k < tensor->nplanes; k++)
			tensor->plane[k].storage += base;
	}
	for (size_t i = 0; i < from->nwarnings; i++)
		if (phi_model_warn(model, err, "%s", from->warnings[i]))
			return -1;
	return 0;
}

/* What a weight file says of itself, but for its format, which the writer sets: kept beside
 * config.json's, the first file's word first. */
static int
take_metadata(
	struct phi_hf *s, struct phi_model *model, const struct phi_model *from, struct phi_err *err)
{
	for (size_t i = 0; i < from->metadata.count; i++) {
		const struct phi_meta *const meta = &from->metadata.items[i];
		if (meta->value.kind != PHI_VALUE_STRING || !strcmp(meta->key, "format"))
			continue;
		const int there = phi_names_add(s->said, meta->key, strlen(meta->key), 0, err);
		const char *const key = there ? NULL
					      : phi_arena_printf(model->arena, err,
							PHI_ST_METADATA "%s", meta->key);
		if (there < 0 || (!there && !key) ||
			(key && phi_metadata_add(
					&model->metadata, model->arena, key, meta->value, err)))
			return -1;
	}
	return 0;
}

/* Opens one weight file; its tensors are appended, strings stay the child's. */
static const struct phi_model *
open_child(struct phi_source *source, struct phi_store *store, const char *name,
	const struct phi_open_options *options, struct phi_err *err)
{
	struct phi_hf *const s = source->state;
	if (phi_grow(&s->children, &s->capacity, s->nchildren, sizeof *s->children, err))
		return NULL;
	struct phi_source *const child = options->registry->open_member(store, name, options, err);
	if (!child)
		return NULL;
	const uint32_t base = (uint32_t)source->model->nstorages;
	s->children[s->nchildren++] = (struct phi_hf_child){ .source = child, .base = base };
	if (take_metadata(s, source->model, child->model, err) ||
		take_tensors(source->model, child->model, (uint32_t)s->nchildren - 1, base, err))
		return NULL;
	return child->model;
}

/* Every tensor of the shard must be where the index says. */
static int
check_shard(struct phi_hf_index *index, uint32_t file, const struct phi_model *shard,
	struct phi_err *err)
{
	for (size_t i = 0; i < shard->ntensors; i++) {
		const char *const name = shard->tensors[i].name;
		const uint32_t at = phi_names_find(index->names, name, strlen(name));
		struct phi_quoted q, f;
		if (at == PHI_NONE)
			return phi_fail(err, PHI_FORMAT, "%s: tensor %s: not in the index",
				phi_quote(&f, index->files[file]), phi_quote(&q, name));
		if (index->entries[at].file != file)
			return phi_fail(err, PHI_FORMAT,
				"%s: tensor %s: the index has it in another file",
				phi_quote(&f, index->files[file]), phi_quote(&q, name));
		index->entries[at].seen = true;
	}
	return 0;
}

/* Every tensor of the index was found, and no shard lies about that the index does not name. */
static int
check_index(const struct phi_hf_index *index, struct phi_store *store, const char *index_name,
	struct phi_err *err)
{
	struct phi_quoted q, f;
	const char *const *names;
	size_t count, next = 0;
	for (size_t i = 0; i < index->count; i++)
		if (!index->entries[i].seen)
			return phi_fail(err, PHI_FORMAT,
				"tensor %s: not in %s, where the index has it",
				phi_quote(&q, index->entries[i].tensor),
				phi_quote(&f, index->files[index->entries[i].file]));
	if (phi_store_list(store, &names, &count, err))
		return -1;
	for (size_t i = 0; i < count; i++) {
		while (next < index->nfiles && strcmp(index->files[next], names[i]) < 0)
			next++;
		const bool named = next < index->nfiles && !strcmp(index->files[next], names[i]);
		if (!named && phi_hf_is_shard(names[i], index_name))
			return phi_fail(
				err, PHI_FORMAT, "%s is not in the index", phi_quote(&q, names[i]));
	}
	return 0;
}

static int
open_shards(struct phi_source *source, struct phi_store *store, struct phi_hf_index *index,
	const char *index_name, const struct phi_open_options *options, struct phi_err *err)
{
	for (uint32_t i = 0; i < index->nfiles; i++) {
		struct phi_quoted q;
		if (!phi_store_has(store, index->files[i]))
			return phi_fail(err, PHI_FORMAT, "%s: is missing, but named by %s",
				phi_quote(&q, index->files[i]), index_name);
		const struct phi_model *const shard =
			open_child(source, store, index->files[i], options, err);
		if (!shard || check_shard(index, i, shard, err))
			return -1;
	}
	return check_index(index, store, index_name, err) ? phi_context(err, "%s", index_name) : 0;
}

static int
parse_index(struct phi_source *source, struct phi_store *store, const char *name,
	struct phi_hf_index *index, struct phi_err *err)
{
	struct phi_hf *const s = source->state;
	struct phi_member *const member = phi_store_member(store, name, err);
	void *text = NULL;
	size_t size = 0;
	int result = member ? phi_member_load(member, PHI_SIDE_MAX, &text, &size, err) : -1;
	if (!result)
		result = phi_hf_index_parse(index, source->model->arena, text, size, err);
	phi_free(text);
	phi_member_close(member);
	s->index = phi_arena_strdup(source->model->arena, name, err);
	s->index_size = size;
	s->has_total = index->has_total;
	s->total = index->total;
	return result || !s->index ? phi_context(err, "%s", name) : 0;
}

static int
open_weights(struct phi_source *source, struct phi_store *store,
	const struct phi_hf_weights *weights, const struct phi_open_options *options,
	struct phi_err *err)
{
	if (weights->file)
		return open_child(source, store, weights->file, options, err) ? 0 : -1;
	if (!weights->index)
		return phi_fail(err, PHI_FORMAT,
			"no weights: neither model.safetensors nor pytorch_model.bin nor an index "
			"of "
			"such files");
	struct phi_hf_index index = { 0 };
	int result = parse_index(source, store, weights->index, &index, err);
	if (!result)
		result = open_shards(source, store, &index, weights->index, options, err);
	phi_hf_index_free(&index);
	return result;
}

/* A lone index: the folder it lies in. */
static struct phi_store *
open_folder(
	struct phi_store *file, struct phi_arena *arena, const char **index, struct phi_err *err)
{
	const char *const path = phi_store_path(file);
	const char *const slash = strrchr(path, '/');
	*index = phi_arena_strdup(arena, slash ? slash + 1 : path, err);
	const char *const folder =
		!slash		? "."
		: slash == path ? "/"
				: phi_arena_copy(arena, path, (size_t)(slash - path), err);
	return *index && folder ? phi_store_open(folder, NULL, err) : NULL;
}

static int
describe(struct phi_source *source, struct phi_store *store, const struct phi_open_options *options,
	struct phi_err *err)
{
	struct phi_hf *const s = source->state;
	struct phi_model *const model = source->model;
	struct phi_hf_weights weights = { 0 };
	const enum phi_store_kind kind = phi_store_kind(store);
	if (kind == PHI_STORE_FILE) {
		store = s->folder = open_folder(store, model->arena, &weights.index, err);
		if (!store)
			return -1;
	} else if (kind == PHI_STORE_PIPE) {
		return phi_fail(
			err, PHI_UNSUPPORTED, "a folder cannot come through a pipe; tar it");
	} else if (phi_hf_find_weights(store, &weights, err)) {
		return -1;
	}
	model->name = phi_arena_strdup(model->arena, phi_store_base(store), err);
	if (!model->name || phi_model_load_sides(model, store, err) || describe_config(model, err))
		return -1;
	return open_weights(source, store, &weights, options, err);
}

struct phi_source *
phi_hf_open(struct phi_store *store, const struct phi_open_options *options, struct phi_err *err)
{
	struct phi_source *const source = phi_source_new("hf", &ops, sizeof(struct phi_hf), err);
	if (source) {
		struct phi_hf *const s = source->state;
		s->said = phi_names_new(err);
		if (s->said && !describe(source, store, options, err))
			return source;
	}
	phi_source_close(source);
	return NULL;
}
