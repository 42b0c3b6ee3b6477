/* --check of a GGUF: what can be described, but llama.cpp (0c1e57098, ggml/src/gguf.cpp) or the
 * specification refuses, and what no writer leaves in a file. One rule a function; its identifier is in
 * phi-inspect(1). */
#include "formats/core/checked.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/gguf/gguf.h"
#include "formats/gguf/layout.h"
#include "formats/gguf/parts.h"
#include "formats/gguf/split.h"

#include <inttypes.h>
#include <string.h>

enum { WINDOW = 64 << 10 };

struct check {
	const struct phi_gguf_layout *layout;
	const struct phi_findings *findings;
	uint8_t *window; /* WINDOW bytes */
	uint64_t nonzero, first; /* bytes of padding that are not zero, and the first's place */
};

static int
check_version(const struct check *c, struct phi_err *err)
{
	const struct phi_gguf_header *const h = &c->layout->header;
	if (h->version < 2 &&
		phi_finding_emit(c->findings, PHI_FINDING_INVALID, "gguf.version", c->layout->file,
			NULL, 4, err, "version %" PRIu32 "; llama.cpp reads 2 and 3", h->version))
		return -1;
	if (h->big && h->version < 3 &&
		phi_finding_emit(c->findings, PHI_FINDING_INVALID, "gguf.byte-order",
			c->layout->file, NULL, 4, err, "version %" PRIu32 " has no big-endian files",
			h->version))
		return -1;
	return h->big ? phi_finding_emit(c->findings, PHI_FINDING_INFO, "gguf.byte-order",
				c->layout->file, NULL, 4, err,
				"big-endian: llama.cpp loads it on big-endian machines only")
		      : 0;
}

/* The specification wants multiples of 8; llama.cpp powers of two, which describing saw to. */
static int
check_alignment(const struct check *c, struct phi_err *err)
{
	const uint32_t alignment = c->layout->header.alignment;
	return alignment % 8 == 0
		? 0
		: phi_finding_emit(c->findings, PHI_FINDING_INVALID, "gguf.alignment",
			c->layout->file, NULL, UINT64_MAX, err,
			"general.alignment is %" PRIu32 ", no multiple of 8", alignment);
}

static int
check_names(const struct check *c, struct phi_err *err)
{
	const struct phi_model *const model = c->layout->model;
	for (size_t i = 0; i < model->ntensors; i++) {
		const size_t n = strlen(model->tensors[i].name);
		struct phi_quoted q;
		if (n > PHI_GGUF_NAME_MAX &&
			phi_finding_emit(c->findings, PHI_FINDING_INVALID, "gguf.name-length",
				c->layout->file, NULL, UINT64_MAX, err,
				"tensor %s: a name of %zu bytes; llama.cpp reads at most %d",
				phi_quote(&q, model->tensors[i].name), n, PHI_GGUF_NAME_MAX))
			return -1;
	}
	return 0;
}

/* llama.cpp wants each offset to be the sum of the padded sizes before it. What comes after the first
 * that is not is off as well: one finding. */
static int
check_offsets(const struct check *c, struct phi_err *err)
{
	const struct phi_gguf_header *const h = &c->layout->header;
	uint64_t expected = 0;
	for (size_t i = 0; i < h->ntensors; i++) {
		const struct phi_gguf_extent *const e = &h->extents[i];
		struct phi_quoted q;
		if (e->offset != expected)
			return phi_finding_emit(c->findings, PHI_FINDING_INVALID, "gguf.offset",
				c->layout->file, NULL, h->data + e->offset, err,
				"tensor %s: offset %" PRIu64 " where llama.cpp expects %" PRIu64 "%s",
				phi_quote(&q, c->layout->model->tensors[e->tensor].name), e->offset,
				expected, e->offset % h->alignment ? "; it is not aligned" : "");
		if (!phi_add(expected, e->size, &expected) ||
			!phi_round_up(expected, h->alignment, &expected))
			return 0;
	}
	return 0;
}

/* Where the data ends with the padding of its last tensor. */
static uint64_t
padded_end(const struct phi_gguf_layout *l, uint64_t data, uint32_t alignment)
{
	uint64_t end = 0;
	for (size_t i = 0; i < l->header.ntensors; i++) {
		const uint64_t last = l->header.extents[i].offset + l->header.extents[i].size;
		if (last > end)
			end = last;
	}
	return phi_round_up(end, alignment, &end) ? data + end : UINT64_MAX;
}

/* Writers that copy general.alignment but pad by 32 put the data some bytes from where readers look for
 * it: then, and hardly ever else, the file ends where it would with 32. */
static bool
shifted(const struct phi_gguf_layout *l, int64_t *by)
{
	uint64_t data = 0;
	if (!phi_round_up(l->end, PHI_GGUF_ALIGNMENT, &data) || data == l->header.data)
		return false;
	*by = (int64_t)(data - l->header.data);
	return l->size == padded_end(l, data, PHI_GGUF_ALIGNMENT);
}

static int
check_end(const struct check *c, struct phi_err *err)
{
	const struct phi_gguf_layout *const l = c->layout;
	const uint64_t end = l->header.ntensors
		? padded_end(l, l->header.data, l->header.alignment) : l->header.data;
	int64_t by = 0;
	if (l->size == end)
		return 0;
	if (l->header.ntensors && shifted(l, &by))
		return phi_finding_emit(c->findings, PHI_FINDING_INVALID, "gguf.shift", l->file,
			NULL, l->header.data, err,
			"the data begins %" PRId64 " bytes from where it was written: padded by 32, "
			"not by general.alignment (%" PRIu32 ")", by, l->header.alignment);
	if (l->size < end)
		return phi_finding_emit(c->findings, PHI_FINDING_INVALID, "gguf.end", l->file, NULL,
			l->size, err, "%" PRIu64 " bytes of padding are missing after the last tensor",
			end - l->size);
	return phi_finding_emit(c->findings, PHI_FINDING_INVALID, "gguf.trailing", l->file, NULL, end,
		err, "%" PRIu64 " bytes after the last tensor belong to none", l->size - end);
}

/* Counts what is not zero in padding. */
static int
look_at(void *ctx, const struct phi_region *r, struct phi_err *err)
{
	struct check *const c = ctx;
	if (strcmp(r->what, "padding") != 0)
		return 0;
	for (uint64_t done = 0; done < r->size;) {
		const uint64_t left = r->size - done, n = left < WINDOW ? left : WINDOW;
		if (phi_member_read(c->layout->member, r->offset + done, c->window, (size_t)n, err))
			return -1;
		for (uint64_t i = 0; i < n; i++) {
			if (c->window[i] && !c->nonzero++)
				c->first = r->offset + done + i;
		}
		done += n;
	}
	return 0;
}

static int
check_padding(struct check *c, struct phi_err *err)
{
	const struct phi_regions regions = { .emit = look_at, .ctx = c };
	if (phi_gguf_layout_walk(c->layout, &regions, err))
		return -1;
	return !c->nonzero ? 0
			   : phi_finding_emit(c->findings, PHI_FINDING_INVALID, "gguf.padding",
				     c->layout->file, NULL, c->first, err,
				     "%" PRIu64 " bytes of padding are not zero, the first at %" PRIu64,
				     c->nonzero, c->first);
}

/* llama.cpp's getters insist on the kinds that its own writer gives these. */
static int
check_split(const struct check *c, struct phi_err *err)
{
	static const struct {
		const char *key;
		enum phi_value_kind kind;
	} keys[] = { { "split.no", PHI_VALUE_U16 },
		{ "split.count", PHI_VALUE_U16 },
		{ "split.tensors.count", PHI_VALUE_I32 } };
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		const struct phi_value *const v =
			phi_metadata_find(&c->layout->model->metadata, keys[i].key);
		if (v && v->kind != keys[i].kind &&
			phi_finding_emit(c->findings, PHI_FINDING_INVALID, "gguf.key-kind",
				c->layout->file, NULL, UINT64_MAX, err, "key %s is %s, must be %s",
				keys[i].key, phi_value_name(v->kind), phi_value_name(keys[i].kind)))
			return -1;
	}
	return 0;
}

static int
check_file(struct check *c, struct phi_err *err)
{
	return check_version(c, err) || check_alignment(c, err) || check_split(c, err) ||
			check_names(c, err) || check_offsets(c, err) || check_end(c, err) ||
			check_padding(c, err)
		? -1
		: 0;
}

/* The keys of the whole are in the first part; any other part alone is no model. */
static int
check_whole(struct phi_source *source, const struct phi_findings *findings, struct phi_err *err)
{
	const char *const file = phi_member_name(phi_gguf_part(source, 0));
	struct phi_gguf_split split;
	if (phi_gguf_split_read(&source->model->metadata, &split, err))
		return -1;
	if (!split.number)
		return phi_gguf_check_keys(source->model, file, findings, err);
	return phi_finding_emit(findings, PHI_FINDING_INFO, "gguf.part", file, NULL, UINT64_MAX, err,
		"is part %" PRIu64 " of %" PRIu64 "; the first one's name opens all",
		split.number + 1, split.count);
}

int
phi_gguf_check(struct phi_source *source, const struct phi_findings *findings, struct phi_err *err)
{
	int result = 0;
	uint8_t *const window = phi_alloc(WINDOW, err);
	if (!window)
		return -1;
	for (size_t i = 0; !result && i < phi_gguf_parts(source); i++) {
		struct phi_gguf_layout layout;
		struct check c = { .layout = &layout, .findings = findings, .window = window };
		result = phi_gguf_layout_open(&layout, phi_gguf_part(source, i), err);
		if (!result)
			result = check_file(&c, err);
		phi_gguf_layout_close(&layout);
	}
	phi_free(window);
	return result ? -1 : check_whole(source, findings, err);
}
