/* Edits of a file's keys and names where it stands. The data must not move: its offset is where the
 * header ends, rounded up to the alignment, so the new header has to end in the same stretch. A shorter
 * one is filled with a key of ours, a string of spaces, that later edits may use up:
 *
 *     "phi.padding"  u64 11, 11 bytes, i32 8, u64 n, n spaces: 31 + n bytes */
#include "formats/core/edit.h"
#include "formats/core/patch.h"
#include "formats/gguf/cursor.h"
#include "formats/gguf/gguf.h"
#include "formats/gguf/header.h"
#include "formats/gguf/put.h"

#include "formats/core/escape.h"
#include "formats/core/memory.h"

#include <inttypes.h>
#include <string.h>

static const char padding[] = "phi.padding";
enum { PADDING_LEAST = 8 + sizeof padding - 1 + 4 + 8 };

static int
put_tensors(struct phi_buffer *b, const struct phi_model *model,
	const struct phi_gguf_header *header, struct phi_err *err)
{
	for (size_t i = 0; i < model->ntensors; i++) {
		const struct phi_tensor *const t = &model->tensors[i];
		struct phi_quoted q;
		if (strlen(t->name) > PHI_GGUF_NAME_MAX)
			return phi_fail(err, PHI_UNSUPPORTED,
				"tensor %s: a name of %zu bytes; GGUF's names have at most %d",
				phi_quote(&q, t->name), strlen(t->name), PHI_GGUF_NAME_MAX);
		if (phi_gguf_put_tensor(b, t, header->extents[i].offset, err))
			return -1;
	}
	return 0;
}

static int
put_header(struct phi_buffer *b, const struct phi_model *model,
	const struct phi_gguf_header *header, struct phi_err *err)
{
	b->size = 0;
	return phi_buffer_append(b, "GGUF", 4, err) || phi_buffer_u32(b, header->version, err) ||
			phi_buffer_u64(b, model->ntensors, err) ||
			phi_buffer_u64(b, model->metadata.count, err) ||
			phi_gguf_put_keys(b, &model->metadata, err) ||
			put_tensors(b, model, header, err)
		? -1
		: 0;
}

/* Adds the key that makes the header `room` bytes longer. */
static int
add_padding(struct phi_model *model, uint64_t room, struct phi_err *err)
{
	const size_t n = (size_t)room - PADDING_LEAST;
	char *const spaces = phi_arena_alloc(model->arena, n + 1, err);
	if (!spaces)
		return -1;
	memset(spaces, ' ', n);
	spaces[n] = '\0';
	const struct phi_value value = { .kind = PHI_VALUE_STRING, .s = { spaces, n } };
	return phi_metadata_add(&model->metadata, model->arena, padding, value, err);
}

/* The header of exactly header->data bytes. */
static int
fit_header(struct phi_buffer *b, struct phi_model *model, const struct phi_gguf_header *header,
	struct phi_err *err)
{
	phi_metadata_remove(&model->metadata, padding);
	if (put_header(b, model, header, err))
		return -1;
	if (b->size > header->data)
		return phi_fail(err, PHI_ARGUMENT,
			"the header would have %zu bytes, but the data begins at %" PRIu64
			"; write a new file with -o", b->size, header->data);
	const uint64_t room = header->data - b->size;
	if (room >= header->alignment) {
		if (room < PADDING_LEAST)
			return phi_fail(err, PHI_ARGUMENT,
				"the header would be %" PRIu64
				" bytes shorter, too few to fill; write a new file with -o", room);
		if (add_padding(model, room, err) || put_header(b, model, header, err))
			return -1;
	}
	return phi_buffer_zeros(b, (size_t)header->data - b->size, err);
}

static int
check_header(const struct phi_gguf_header *header, struct phi_err *err)
{
	if (header->big || header->version < 2)
		return phi_fail(err, PHI_UNSUPPORTED,
			"only little-endian files of version 2 or 3 are changed in place");
	if (!header->ntensors)
		return phi_fail(err, PHI_UNSUPPORTED,
			"a file without tensors is not changed in place; write a new one with -o");
	return 0;
}

static int
make_patch(struct phi_member *member, struct phi_model *model,
	const struct phi_gguf_header *header, const struct phi_edit *edits, size_t nedits,
	struct phi_patch *patch, struct phi_err *err)
{
	uint32_t alignment;
	if (check_header(header, err) ||
		phi_edit_model(model, &phi_format_gguf, edits, nedits, err) ||
		phi_gguf_alignment(&model->metadata, &alignment, err))
		return -1;
	if (alignment != header->alignment)
		return phi_fail(err, PHI_ARGUMENT,
			"another alignment moves the data; write a new file with -o");
	if (phi_buffer_zeros(&patch->before, (size_t)header->data, err) ||
		phi_member_read(member, 0, patch->before.data, patch->before.size, err))
		return -1;
	return fit_header(&patch->after, model, header, err);
}

int
phi_gguf_patch(struct phi_store *store, const struct phi_edit *edits, size_t nedits,
	struct phi_patch *patch, struct phi_err *err)
{
	struct phi_gguf_cursor cursor = { 0 };
	struct phi_gguf_header header = { 0 };
	struct phi_model *const model = phi_model_new("gguf", err);
	struct phi_member *const member = model ? phi_store_member(store, NULL, err) : NULL;
	int result = -1;
	if (model)
		model->view = "gguf";
	if (member && !phi_gguf_cursor_open(&cursor, member, err) &&
		!phi_gguf_read_header(&cursor, model, &header, err))
		result = make_patch(member, model, &header, edits, nedits, patch, err);
	phi_gguf_cursor_close(&cursor);
	phi_free(header.extents);
	phi_member_close(member);
	phi_model_free(model);
	return result;
}
