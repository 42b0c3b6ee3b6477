/* Reading a stream: the members in their order, once. Every byte passes the digest of its range on the
 * way; model.xxh3 is compared when all have passed. */
#include "formats/stream/stream.h"

#include "formats/core/buffer.h"
#include "formats/core/checked.h"
#include "formats/core/config.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/stream/digests.h"
#include "formats/stream/model_text.h"
#include "formats/stream/tape.h"

#include <inttypes.h>
#include <string.h>

enum { LOAD_STEP = 1 << 20, RECORD = 512 };

struct reader {
	struct phi_member *member;
	struct phi_tape *tape;
	struct phi_digests digests;
	XXH3_state_t *hash;
	const uint8_t *block; /* what is left of the tape's block */
	size_t left;
	uint64_t at, size; /* in the data of model.safetensors */
	uint64_t start;	   /* where they begin in it */
	size_t storage;	   /* the storage that `at` lies in */
	bool finished;
	bool random;	 /* settled: read at any place of the member, where */
	uint64_t weights; /* model.safetensors begins; 0: not known (yet) */
};

/* The next n bytes of the tape's member, to dst unless NULL. */
static int
take(struct reader *r, void *dst, uint64_t n, struct phi_err *err)
{
	uint8_t *to = dst;
	while (n) {
		if (!r->left && phi_tape_block(r->tape, to, n, &r->block, &r->left, err))
			return -1;
		if (!r->left)
			return phi_fail(err, PHI_TRUNCATED, "%" PRIu64 " bytes are missing", n);
		const size_t part = n < r->left ? (size_t)n : r->left;
		XXH3_128bits_update(r->hash, r->block, part);
		if (to && to != r->block)
			memcpy(to, r->block, part);
		if (to)
			to += part;
		r->block += part;
		r->left -= part;
		n -= part;
	}
	return 0;
}

static int
keep_digest(struct reader *r, const char *line, struct phi_err *err)
{
	if (phi_digests_add(&r->digests, line, XXH3_128bits_digest(r->hash), err))
		return -1;
	XXH3_128bits_reset(r->hash);
	return 0;
}

/* A whole member into a buffer, with a NUL after it; memory grows with the bytes that come. */
static int
load(struct reader *r, uint64_t size, uint64_t limit, struct phi_buffer *out, struct phi_err *err)
{
	if (size > limit)
		return phi_fail(err, PHI_LIMIT, "has %" PRIu64 " bytes; the limit is %" PRIu64, size,
			limit);
	while (out->size < size) {
		const uint64_t rest = size - out->size;
		const size_t step = rest < LOAD_STEP ? (size_t)rest : LOAD_STEP;
		if (phi_buffer_zeros(out, step, err) ||
			take(r, out->data + out->size - step, step, err))
			return -1;
	}
	if (phi_buffer_zeros(out, 1, err))
		return -1;
	out->size--;
	return 0;
}

static int
load_model(struct reader *r, struct phi_model *model, struct phi_metadata *metadata,
	struct phi_err *err)
{
	const char *name;
	uint64_t size;
	const int there = phi_tape_next(r->tape, &name, &size, err);
	if (there < 0)
		return -1;
	if (!there || strcmp(name, PHI_STREAM_MODEL) != 0)
		return phi_fail(err, PHI_FORMAT, "not a stream: %s is not its first member",
			PHI_STREAM_MODEL);
	struct phi_buffer text = { 0 };
	const int status = load(r, size, PHI_SIDE_MAX, &text, err) ||
		keep_digest(r, PHI_STREAM_MODEL, err) ||
		phi_stream_model_parse(model, metadata, (const char *)text.data, text.size, err);
	phi_buffer_free(&text);
	return status ? phi_context(err, "%s", PHI_STREAM_MODEL) : 0;
}

static int
load_side(struct reader *r, struct phi_model *model, const char *name, uint64_t size,
	struct phi_err *err)
{
	struct phi_buffer data = { 0 };
	if (!phi_stream_side_fits(name) || phi_model_side(model, name))
		return phi_fail(err, PHI_FORMAT, "not what comes next in a stream");
	if (model->nsides == PHI_STREAM_SIDES_MAX)
		return phi_fail(err, PHI_LIMIT, "more than %d side files", PHI_STREAM_SIDES_MAX);
	const char *const kept = phi_arena_strdup(model->arena, name, err);
	int status = kept ? load(r, size, PHI_SIDE_MAX, &data, err) : -1;
	if (!status)
		status = keep_digest(r, kept, err);
	if (!status)
		status = phi_model_add_side(model, kept, data.data, data.size, err);
	phi_buffer_free(&data);
	return status;
}

/* All members up to model.safetensors, which is begun; its size. */
static int
load_sides(struct reader *r, struct phi_model *model, uint64_t *size, struct phi_err *err)
{
	for (;;) {
		const char *name;
		struct phi_quoted q;
		const int there = phi_tape_next(r->tape, &name, size, err);
		if (there < 0)
			return -1;
		if (!there)
			return phi_fail(err, PHI_TRUNCATED, "cut off before %s", PHI_STREAM_WEIGHTS);
		if (!strcmp(name, PHI_STREAM_WEIGHTS))
			return 0;
		phi_quote(&q, name);
		if (load_side(r, model, name, *size, err))
			return phi_context(err, "member %s", q.text);
	}
}

/* Does the entry hold this tensor? */
static bool
matches(const struct phi_st_entry *a, const struct phi_st_entry *b)
{
	return a->type == b->type && a->rank == b->rank &&
	       !memcmp(a->shape, b->shape, a->rank * sizeof *a->shape);
}

/* Entry `index` is a storage; the tensor of its name gets its plane there. */
static int
place_tensor(struct reader *r, struct phi_model *model, const struct phi_names *names,
	const struct phi_st_entry *entry, struct phi_err *err)
{
	struct phi_quoted q;
	const uint32_t index = phi_names_find(names, entry->name, strlen(entry->name));
	struct phi_st_entry expected;
	if (index == PHI_NONE)
		return phi_fail(err, PHI_FORMAT, "tensor %s: not in %s", phi_quote(&q, entry->name),
			PHI_STREAM_MODEL);
	struct phi_tensor *const t = &model->tensors[index];
	if (phi_stream_entry(t, model->arena, &expected, err))
		return -1;
	if (!matches(entry, &expected))
		return phi_fail(err, PHI_FORMAT, "tensor %s: type or shape differ from %s",
			phi_quote(&q, entry->name), PHI_STREAM_MODEL);
	struct phi_storage *const storage = phi_model_add_storage(model, err);
	if (!storage)
		return -1;
	storage->file = PHI_STREAM_WEIGHTS;
	storage->offset = r->start + entry->begin;
	storage->size = entry->end - entry->begin;
	storage->inner = index;
	t->nplanes = 1;
	t->plane[0] = (struct phi_plane){ .storage = (uint32_t)model->nstorages - 1, .dense = true };
	return 0;
}

/* The tensors with bytes of their own, by the names of their entries. */
static struct phi_names *
index_tensors(struct phi_model *model, struct phi_err *err)
{
	struct phi_names *const names = phi_names_new(err);
	int status = names ? 0 : -1;
	for (uint32_t i = 0; !status && i < model->ntensors; i++) {
		struct phi_st_entry entry;
		struct phi_quoted q;
		if (model->tensors[i].alias != PHI_NONE)
			continue;
		status = phi_stream_entry(&model->tensors[i], model->arena, &entry, err);
		if (!status)
			status = phi_names_add(names, entry.name, strlen(entry.name), i, err);
		if (status > 0)
			phi_fail(err, PHI_FORMAT, "tensor %s occurs twice", phi_quote(&q, entry.name));
	}
	if (!status)
		return names;
	phi_names_free(names);
	return NULL;
}

/* Every tensor must have its bytes; those of an alias are its first one's. */
static int
check_placed(struct phi_model *model, struct phi_err *err)
{
	for (size_t i = 0; i < model->ntensors; i++) {
		struct phi_tensor *const t = &model->tensors[i];
		struct phi_quoted q;
		if (t->alias != PHI_NONE) {
			t->nplanes = 1;
			t->plane[0] = model->tensors[t->alias].plane[0];
		} else if (!t->nplanes) {
			return phi_fail(err, PHI_FORMAT, "tensor %s: not in %s", phi_quote(&q, t->name),
				PHI_STREAM_WEIGHTS);
		}
	}
	return 0;
}

static int
load_header(struct reader *r, struct phi_model *model, struct phi_st_header *header, uint64_t size,
	struct phi_err *err)
{
	uint8_t first[8];
	uint64_t length;
	struct phi_buffer json = { 0 };
	if (size < sizeof first || take(r, first, sizeof first, err) ||
		phi_st_header_length(first, &length, err))
		return size < sizeof first ? phi_fail(err, PHI_TRUNCATED, "no header") : -1;
	if (length > size - sizeof first)
		return phi_fail(err, PHI_TRUNCATED, "header of %" PRIu64 " bytes passes the end", length);
	int status = load(r, length, PHI_HEADER_MAX, &json, err);
	if (!status)
		status = phi_st_header_parse(header, model->arena, (const char *)json.data, json.size,
			err);
	phi_buffer_free(&json);
	r->start = sizeof first + length;
	r->size = header->data_size;
	if (!status && r->size != size - r->start)
		status = phi_fail(err, PHI_FORMAT, "%" PRIu64 " bytes of data, the header says %" PRIu64,
			size - r->start, r->size);
	return status ? -1 : keep_digest(r, PHI_STREAM_WEIGHTS "#", err);
}

static int
load_weights(struct reader *r, struct phi_model *model, uint64_t size, struct phi_err *err)
{
	struct phi_st_header header = { 0 };
	struct phi_names *names = NULL;
	int status = load_header(r, model, &header, size, err);
	if (!status) {
		names = index_tensors(model, err);
		status = names ? 0 : -1;
	}
	for (size_t i = 0; !status && i < header.count; i++)
		status = place_tensor(r, model, names, &header.entries[i], err);
	phi_names_free(names);
	phi_st_header_free(&header);
	if (status || check_placed(model, err))
		return phi_context(err, "%s", PHI_STREAM_WEIGHTS);
	return 0;
}

/* config.json's own words first, then what model.json adds to them or changes. */
static int
join_metadata(struct phi_model *model, const struct phi_metadata *added, struct phi_err *err)
{
	const struct phi_side *const config = phi_model_side(model, "config.json");
	if (!config || strcmp(model->view, "canonical") != 0) {
		model->metadata = *added;
		return 0;
	}
	if (phi_config_describe(model, config->data, config->size, err))
		return phi_context(err, "config.json");
	struct phi_names *const names = phi_names_new(err);
	int status = names ? 0 : -1;
	for (uint32_t i = 0; status >= 0 && i < model->metadata.count; i++) {
		const char *const key = model->metadata.items[i].key;
		status = phi_names_add(names, key, strlen(key), i, err);
	}
	for (size_t i = 0; status >= 0 && i < added->count; i++) {
		const struct phi_meta *const m = &added->items[i];
		const uint32_t there = phi_names_find(names, m->key, strlen(m->key));
		if (there != PHI_NONE)
			model->metadata.items[there].value = m->value;
		else
			status = phi_metadata_add(&model->metadata, model->arena, m->key, m->value, err);
	}
	phi_names_free(names);
	return status < 0 ? -1 : 0;
}

static int
describe(struct phi_source *source, struct phi_err *err)
{
	struct reader *const r = source->state;
	struct phi_model *const model = source->model;
	struct phi_metadata added = { 0 };
	uint64_t size;
	if (load_model(r, model, &added, err) || load_sides(r, model, &size, err) ||
		load_weights(r, model, size, err))
		return -1;
	return join_metadata(model, &added, err);
}

/* The line of a storage in model.xxh3: by the entry's name of the tensor that lies there. Made while
 * reading, since only then does it cost nothing extra to know which tensor that is. */
static const char *
storage_line(const struct phi_source *source, size_t storage, struct phi_err *err)
{
	const struct phi_storage *const s = &source->model->storages[storage];
	struct phi_st_entry entry;
	const struct phi_tensor *const t = &source->model->tensors[s->inner];
	if (phi_stream_entry(t, source->model->arena, &entry, err))
		return NULL;
	return phi_arena_printf(source->model->arena, err, "%s#%s", PHI_STREAM_WEIGHTS, entry.name);
}

/* Closes the digests of all storages that end where the data stand. */
static int
pass_storages(struct phi_source *source, struct phi_err *err)
{
	struct reader *const r = source->state;
	const struct phi_model *const model = source->model;
	for (; r->storage < model->nstorages; r->storage++) {
		const struct phi_storage *const s = &model->storages[r->storage];
		if (s->offset - r->start + s->size > r->at)
			return 0;
		const char *const line = storage_line(source, r->storage, err);
		if (!line || keep_digest(r, line, err))
			return -1;
	}
	return 0;
}

/* The next n bytes of the data, storage by storage. */
static int
advance(struct phi_source *source, void *dst, uint64_t n, struct phi_err *err)
{
	struct reader *const r = source->state;
	uint8_t *to = dst;
	if (pass_storages(source, err))
		return -1;
	while (n) {
		const struct phi_storage *const s = &source->model->storages[r->storage];
		const uint64_t rest = s->offset - r->start + s->size - r->at;
		const uint64_t part = n < rest ? n : rest;
		if (take(r, to, part, err))
			return -1;
		r->at += part;
		n -= part;
		if (to)
			to += part;
		if (pass_storages(source, err))
			return -1;
	}
	return 0;
}

static int
read_storage(struct phi_source *source, uint32_t storage, uint64_t offset, void *dst, size_t n,
	struct phi_err *err)
{
	struct reader *const r = source->state;
	const struct phi_storage *const s = &source->model->storages[storage];
	if (!phi_fits(offset, n, s->size))
		return phi_fail(err, PHI_ARGUMENT, "read beyond the end of a storage");
	if (r->random)
		return phi_member_read(r->member, r->weights + s->offset + offset, dst, n, err);
	const uint64_t target = s->offset - r->start + offset;
	if (target < r->at)
		return phi_fail(err, PHI_ARGUMENT, "a stream is read in its order only");
	if (advance(source, NULL, target - r->at, err))
		return -1;
	return advance(source, dst, n, err);
}

static int
check_digests(struct reader *r, struct phi_err *err)
{
	const char *name;
	uint64_t size, limit = 0;
	const int there = phi_tape_next(r->tape, &name, &size, err);
	if (there < 0)
		return -1;
	if (!there)
		return phi_fail(err, PHI_TRUNCATED, "cut off before %s: what wrote it did not finish",
			PHI_STREAM_DIGESTS);
	if (strcmp(name, PHI_STREAM_DIGESTS) != 0) {
		struct phi_quoted q;
		return phi_fail(err, PHI_FORMAT, "member %s stands where %s should",
			phi_quote(&q, name), PHI_STREAM_DIGESTS);
	}
	/* Ends here what was read before: the weights, padded. */
	uint64_t padded;
	const uint64_t end = phi_tape_position(r->tape);
	if (end != UINT64_MAX && phi_round_up(r->start + r->size, RECORD, &padded) && padded <= end)
		r->weights = end - padded;
	for (size_t i = 0; i < r->digests.count; i++)
		limit += phi_digest_line_size(r->digests.items[i].name);
	struct phi_buffer text = { 0 };
	/* a few lines too many shall be named, not counted */
	int status = load(r, size, limit + LOAD_STEP, &text, err);
	if (!status)
		status = phi_digests_check(&r->digests, (const char *)text.data, text.size, err);
	phi_buffer_free(&text);
	return status ? phi_context(err, "%s", PHI_STREAM_DIGESTS) : 0;
}

static int
finish(struct phi_source *source, struct phi_err *err)
{
	struct reader *const r = source->state;
	if (r->finished)
		return 0;
	if (advance(source, NULL, r->size - r->at, err) || check_digests(r, err) ||
		phi_tape_expect_end(r->tape, err))
		return -1;
	r->finished = true;
	return 0;
}

/* A file is read through once, for its digests, and from then on at any place. */
static int
settle(struct phi_source *source, struct phi_err *err)
{
	struct reader *const r = source->state;
	if (phi_tape_position(r->tape) == UINT64_MAX)
		return 0;
	if (finish(source, err))
		return -1;
	if (!r->weights)
		return phi_fail(err, PHI_FORMAT, "%s: its place in the tar is not clear",
			PHI_STREAM_WEIGHTS);
	r->random = true;
	return 1;
}

static void
close_reader(struct phi_source *source)
{
	struct reader *const r = source->state;
	phi_tape_close(r->tape);
	phi_member_close(r->member);
	phi_digests_free(&r->digests);
	XXH3_freeState(r->hash);
	phi_free(r);
}

struct phi_stream_place
phi_stream_place(const struct phi_source *source)
{
	const struct reader *const r = source->state;
	return (struct phi_stream_place){.member = r->member, .weights = r->weights, .start = r->start};
}

static const struct phi_source_ops ops = {
	.read = read_storage,
	.finish = finish,
	.settle = settle,
	.layout = phi_stream_layout,
	.close = close_reader,
};

static int
open_reader(struct phi_source *source, struct phi_store *store, struct phi_err *err)
{
	struct reader *const r = source->state;
	source->sequential = true;
	r->hash = XXH3_createState();
	if (!r->hash)
		return phi_fail(err, PHI_MEMORY, "out of memory");
	XXH3_128bits_reset(r->hash);
	r->member = phi_store_member(store, NULL, err);
	if (!r->member)
		return -1;
	r->tape = phi_tape_open(r->member, err);
	return r->tape ? 0 : -1;
}

struct phi_source *
phi_stream_open(struct phi_store *store, const struct phi_open_options *options,
	struct phi_err *err)
{
	struct phi_source *const source = phi_source_new("stream", &ops, sizeof(struct reader), err);
	(void)options;
	if (source && !open_reader(source, store, err) && !describe(source, err))
		return source;
	phi_source_close(source);
	return NULL;
}
