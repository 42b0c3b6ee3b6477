/* The stream as a format: recognising, planning. */
#include "formats/stream/stream.h"

#include "formats/core/buffer.h"
#include "formats/core/bytes.h"
#include "formats/core/checked.h"
#include "formats/core/config.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/stream/digests.h"
#include "formats/stream/model_text.h"

#include <string.h>

enum { RECORD = 512 };

bool
phi_stream_side_fits(const char *name)
{
	const size_t n = strlen(name);
	if (!n || n > PHI_STREAM_NAME_MAX || name[0] == '.')
		return false;
	for (const char *p = name; *p; p++)
		if (*p <= ' ' || *p > '~' || *p == '/' || *p == '\\' || *p == '#')
			return false;
	return strcmp(name, PHI_STREAM_MODEL) != 0 && strcmp(name, PHI_STREAM_WEIGHTS) != 0 &&
	       strcmp(name, PHI_STREAM_DIGESTS) != 0;
}

int
phi_stream_entry(const struct phi_tensor *t, struct phi_arena *arena, struct phi_st_entry *entry,
	struct phi_err *err)
{
	struct phi_quoted q;
	uint64_t bytes;
	*entry = (struct phi_st_entry){ .name = phi_stream_name(t->name, arena, err), .type = t->type,
		.rank = t->rank };
	if (!entry->name)
		return -1;
	memcpy(entry->shape, t->shape, sizeof entry->shape);
	if (!phi_tensor_bytes(t, &bytes))
		return phi_fail(err, PHI_FORMAT, "tensor %s: its size does not fit",
			phi_quote(&q, t->name));
	if (phi_st_type_known(t->type))
		return 0;
	uint64_t row;
	if (!phi_type_size(t->type, phi_tensor_row(t), &row))
		return phi_fail(err, PHI_FORMAT, "tensor %s: its rows are no whole blocks",
			phi_quote(&q, t->name));
	entry->type = phi_type_of(PHI_U8);
	if (!entry->rank)
		entry->rank = 1;
	entry->shape[entry->rank - 1] = row;
	return 0;
}

/* Which metadata need not be said: what config.json gives when it is read again. */
static int
mark_known(const struct phi_model *model, bool *known, struct phi_err *err)
{
	const struct phi_side *const config = phi_model_side(model, "config.json");
	if (!config || strcmp(model->view, "canonical") != 0)
		return 0;
	struct phi_model *const said = phi_model_new("stream", err);
	if (!said)
		return -1;
	const int status = phi_config_describe(said, config->data, config->size, err);
	for (size_t i = 0; !status && i < model->metadata.count; i++) {
		const struct phi_meta *const m = &model->metadata.items[i];
		const struct phi_value *const v = phi_metadata_find(&said->metadata, m->key);
		known[i] = v && phi_stream_value_equal(v, &m->value);
	}
	phi_model_free(said);
	return status;
}

/* Side files that cannot travel stay behind, with a word about it. */
static int
pick_sides(struct phi_model *model, struct phi_err *err)
{
	size_t kept = 0;
	for (size_t i = 0; i < model->nsides; i++) {
		struct phi_quoted q;
		const struct phi_side side = model->sides[i];
		if (phi_stream_side_fits(side.name) && kept < PHI_STREAM_SIDES_MAX)
			model->sides[kept++] = side;
		else if (phi_model_warn(model, err, "%s is left out: the stream cannot carry it",
				 phi_quote(&q, side.name)))
			return -1;
	}
	model->nsides = kept;
	return 0;
}

/* Shares the bytes of an earlier tensor? */
static bool
tied(const struct phi_model *model, const struct phi_tensor *t)
{
	return t->alias != PHI_NONE && t->alias < model->ntensors &&
	       model->tensors[t->alias].type == t->type;
}

/* A member as an item: where its bytes lie in the tar, and its line among the digests. */
static int
add_member(struct phi_plan *plan, const char *name, const void *bytes, uint64_t size,
	uint64_t *at, struct phi_err *err)
{
	*at += RECORD;
	if (phi_plan_add_literal(plan, name, 0, *at, bytes, size, err))
		return -1;
	if (!phi_add(*at, size, at) || !phi_round_up(*at, RECORD, at))
		return phi_fail(err, PHI_LIMIT, "the stream's size does not fit");
	return 0;
}

static int
build_header(struct phi_plan *plan, struct phi_st_entry *entries, size_t count,
	struct phi_buffer *header, uint64_t *data_size, struct phi_err *err)
{
	struct phi_metadata metadata = { 0 };
	if (phi_metadata_add_string(&metadata, plan->arena, "format", "pt", err) ||
		phi_st_place(entries, count, data_size, err))
		return -1;
	return phi_st_header_build(header, entries, count, &metadata, err);
}

/* A size of 2^33 or more does not fit into a plain tar header: pax records (two blocks) precede it. */
static uint64_t
header_blocks(uint64_t size)
{
	return size >> 33 ? 3 * RECORD : RECORD;
}

static int
add_weights(struct phi_plan *plan, struct phi_stream_plan *own, const struct phi_st_entry *entries,
	size_t count, const struct phi_buffer *header, uint64_t *at, struct phi_err *err)
{
	const char *const literal = phi_arena_copy(plan->arena, header->data, header->size, err);
	*at += header_blocks(own->weights_size);
	if (!literal ||
		phi_plan_add_literal(plan, PHI_STREAM_WEIGHTS, 0, *at, literal, header->size, err))
		return -1;
	own->first_tensor = plan->nitems;
	for (size_t i = 0; i < count; i++)
		if (phi_plan_add_tensor(plan, entries[i].tag, 0, *at + header->size + entries[i].begin,
			    err))
			return -1;
	if (!phi_add(*at, own->weights_size, at) || !phi_round_up(*at, RECORD, at))
		return phi_fail(err, PHI_LIMIT, "the stream's size does not fit");
	return 0;
}

static struct phi_st_entry *
make_entries(const struct phi_plan *plan, size_t *count, struct phi_err *err)
{
	const struct phi_model *const model = plan->model;
	struct phi_st_entry *const entries = phi_calloc(model->ntensors, sizeof *entries, err);
	*count = 0;
	for (uint32_t i = 0; entries && i < model->ntensors; i++) {
		if (tied(model, &model->tensors[i]))
			continue;
		if (phi_stream_entry(&model->tensors[i], plan->arena, &entries[*count], err)) {
			phi_free(entries);
			return NULL;
		}
		entries[(*count)++].tag = i;
	}
	return entries;
}

/* The names in model.xxh3 of all items so far, and model.xxh3 itself as the last one. */
static int
add_digests(struct phi_plan *plan, struct phi_stream_plan *own, const struct phi_st_entry *entries,
	uint64_t *at, struct phi_err *err)
{
	own->lines = phi_arena_calloc(plan->arena, plan->nitems, sizeof *own->lines, err);
	if (!own->lines)
		return -1;
	uint64_t size = 0;
	for (size_t i = 0; i < plan->nitems; i++) {
		own->lines[i] = plan->items[i].name;
		if (i + 1 >= own->first_tensor)
			own->lines[i] = phi_arena_printf(plan->arena, err, "%s#%s", PHI_STREAM_WEIGHTS,
				i < own->first_tensor ? "" : entries[i - own->first_tensor].name);
		if (!own->lines[i])
			return -1;
		size += phi_digest_line_size(own->lines[i]);
	}
	return add_member(plan, PHI_STREAM_DIGESTS, NULL, size, at, err);
}

static int
lay_out(struct phi_plan *plan, struct phi_stream_plan *own, struct phi_st_entry *entries,
	size_t count, struct phi_buffer *header, struct phi_err *err)
{
	const struct phi_model *const model = plan->model;
	uint64_t at = 0, data_size, model_size;
	if (build_header(plan, entries, count, header, &data_size, err) ||
		phi_stream_model_size(model, own->known, &model_size, err) ||
		add_member(plan, PHI_STREAM_MODEL, NULL, model_size, &at, err))
		return -1;
	for (size_t i = 0; i < model->nsides; i++)
		if (add_member(plan, model->sides[i].name, model->sides[i].data, model->sides[i].size,
			    &at, err))
			return -1;
	own->weights_size = header->size + data_size;
	if (add_weights(plan, own, entries, count, header, &at, err) ||
		add_digests(plan, own, entries, &at, err))
		return -1;
	plan->files[0].size = at + (uint64_t)2 * RECORD; /* the end mark */
	return 0;
}

static int
complete(struct phi_plan *plan, struct phi_err *err)
{
	struct phi_model *const model = plan->model;
	struct phi_stream_plan *const own = phi_arena_calloc(plan->arena, 1, sizeof *own, err);
	bool *const known = phi_arena_calloc(plan->arena, model->metadata.count + 1, 1, err);
	if (!own || !known || mark_known(model, known, err) || pick_sides(model, err) ||
		phi_plan_add_file(plan, NULL, err))
		return -1;
	plan->state = own;
	own->known = known;
	size_t count;
	struct phi_buffer header = { 0 };
	struct phi_st_entry *const entries = make_entries(plan, &count, err);
	const int status = entries ? lay_out(plan, own, entries, count, &header, err) : -1;
	phi_buffer_free(&header);
	phi_free(entries);
	return status;
}

/* A tar whose first member is model.json: 64 bits of magic and name. Inside zstd there is only its
 * magic to see. */
static int
bid(const struct phi_probe *probe)
{
	if (probe->kind != PHI_STORE_FILE && probe->kind != PHI_STORE_PIPE)
		return 0;
	if (probe->size >= 4 && phi_load32(probe->head) == 0xfd2fb528)
		return 32;
	const bool tar = probe->size >= RECORD && !memcmp(probe->head + 257, "ustar", 5);
	return tar && !strcmp((const char *)probe->head, PHI_STREAM_MODEL) ? 120 : 0;
}

const struct phi_format phi_format_stream = {
	.name = "stream",
	.summary = "what one tool pipes to the next: a tar of a checkpoint folder",
	.suffixes = (const char *const[]){ ".phi", ".tar", NULL },
	.flags = PHI_FORMAT_FLOWS_IN | PHI_FORMAT_FLOWS_OUT | PHI_FORMAT_MEMBERS |
		PHI_FORMAT_FIELDS,
	.bid = bid,
	.open = phi_stream_open,
	.complete = complete,
	.sink = &phi_stream_sink,
};
