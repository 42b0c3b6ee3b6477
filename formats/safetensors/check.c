/* --check and --layout of a safetensors file. What the reference refuses, and holes, overlaps and
 * bytes at the end, is refused when the file is opened; here is what it lets pass. The rules are in
 * phi-inspect(1). */
#include "formats/safetensors/read.h"

#include "formats/core/escape.h"
#include "formats/core/json.h"
#include "formats/core/memory.h"
#include "formats/core/st_header.h"
#include "formats/core/tile.h"

#include <inttypes.h>
#include <string.h>

/* Layout */

/* Where the blanks at the header's end begin. */
static int
find_padding(const struct phi_safetensors *s, uint64_t *at, struct phi_err *err)
{
	char bytes[256];
	*at = s->start;
	while (*at > 8) {
		const size_t n = *at - 8 < sizeof bytes ? (size_t)(*at - 8) : sizeof bytes;
		size_t left = n;
		if (phi_member_read(s->member, *at - n, bytes, n, err))
			return -1;
		while (left && bytes[left - 1] == ' ')
			left--;
		*at -= n - left;
		if (left)
			break;
	}
	return 0;
}

/* One storage a tensor, in the order of the data, which they cover. */
int
phi_safetensors_layout(
	struct phi_source *source, const struct phi_regions *regions, struct phi_err *err)
{
	const struct phi_safetensors *const s = source->state;
	const struct phi_model *const model = source->model;
	struct phi_tiler tiler = { .regions = regions, .file = phi_member_name(s->member) };
	uint64_t padding;
	if (find_padding(s, &padding, err) || phi_tile(&tiler, padding, "header", NULL, err) ||
		phi_tile(&tiler, s->start, "padding", NULL, err))
		return -1;
	for (size_t i = 0; i < model->ntensors; i++) {
		const struct phi_tensor *const t = &model->tensors[i];
		const struct phi_storage *const storage = &model->storages[t->plane[0].storage];
		if (phi_tile(&tiler, storage->offset + storage->size, "tensor", t->name, err))
			return -1;
	}
	return 0;
}

/* Checking */

struct check {
	const struct phi_safetensors *state;
	const struct phi_model *model;
	const struct phi_findings *findings;
	const char *file;
};

/* Machines read numbers fastest at multiples of their size, and some readers only there. */
static int
check_alignment(const struct check *c, struct phi_err *err)
{
	uint64_t count = 0;
	const struct phi_tensor *first = NULL;
	for (size_t i = 0; i < c->model->ntensors; i++) {
		const struct phi_tensor *const t = &c->model->tensors[i];
		const uint64_t at = c->model->storages[t->plane[0].storage].offset;
		if (t->type->elements == 1 && at % t->type->bytes && !count++)
			first = t;
	}
	struct phi_quoted q;
	return !count ? 0
		      : phi_finding_emit(c->findings, PHI_FINDING_INFO, "safetensors.alignment",
				c->file, NULL, c->model->storages[first->plane[0].storage].offset,
				err,
				"tensor %s: not at a multiple of its elements' size (%" PRIu64
				" in all)",
				phi_quote(&q, first->name), count);
}

/* The order in which the reference writes: it lets vectors be mapped, and gives every file of the
 * same tensors the same bytes. */
static int
check_order(const struct check *c, struct phi_err *err)
{
	const size_t n = c->model->ntensors;
	struct phi_st_entry *const sorted = phi_calloc(n + 1, sizeof *sorted, err);
	struct phi_quoted q;
	int result = 0;
	if (!sorted)
		return -1;
	for (size_t i = 0; i < n; i++)
		sorted[i] = (struct phi_st_entry){ .name = c->model->tensors[i].name,
			.type = c->model->tensors[i].type };
	phi_st_order(sorted, n);
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(sorted[i].name, c->model->tensors[i].name))
			continue;
		result = phi_finding_emit(c->findings, PHI_FINDING_INFO, "safetensors.order",
			c->file, NULL, UINT64_MAX, err,
			"tensor %s: not where the reference would write it",
			phi_quote(&q, c->model->tensors[i].name));
		break;
	}
	phi_free(sorted);
	return result;
}

static int
check_format(const struct check *c, struct phi_err *err)
{
	static const char *const known[] = { "pt", "tf", "flax", "mlx", "np" };
	struct phi_quoted q;
	const struct phi_value *const v = phi_metadata_find(&c->model->metadata, "format");
	const char *const format = phi_value_string(v);
	for (size_t i = 0; format && i < sizeof known / sizeof *known; i++)
		if (!strcmp(format, known[i]))
			return 0;
	return !v ? 0
		  : phi_finding_emit(c->findings, PHI_FINDING_INVALID, "safetensors.format",
			    c->file, NULL, UINT64_MAX, err,
			    "__metadata__ has \"format\": \"%s\", which is none of pt, tf, flax, "
			    "mlx, np",
			    format ? phi_quote(&q, format) : "?");
}

/* Fields beyond the three, which readers pass over: nothing the format has. */
static int
check_fields(const struct check *c, const char *name, json_t *entry, struct phi_err *err)
{
	const char *key;
	json_t *value;
	struct phi_quoted q, k;
	if (!strcmp(name, "__metadata__"))
		return 0;
	json_object_foreach(entry, key, value)
	{
		if (!strcmp(key, "dtype") || !strcmp(key, "shape") || !strcmp(key, "data_offsets"))
			continue;
		return phi_finding_emit(c->findings, PHI_FINDING_INVALID, "safetensors.field",
			c->file, NULL, 8, err, "tensor %s: has a field %s", phi_quote(&q, name),
			phi_quote(&k, key));
	}
	return 0;
}

static int
check_header(const struct check *c, struct phi_err *err)
{
	const size_t n = (size_t)(c->state->start - 8);
	char *const text = phi_alloc(n + 1, err);
	struct phi_json_members members = { 0 };
	int more = text ? phi_member_read(c->state->member, 8, text, n, err) : -1;
	if (!more)
		more = phi_json_members_begin(&members, text, n, err) ? -1 : 1;
	while (more > 0) {
		more = phi_json_members_next(&members, err);
		if (more > 0 &&
			check_fields(c, json_string_value(members.name), members.value, err))
			more = -1;
	}
	phi_json_members_end(&members);
	phi_free(text);
	return more;
}

int
phi_safetensors_check(
	struct phi_source *source, const struct phi_findings *findings, struct phi_err *err)
{
	const struct phi_safetensors *const s = source->state;
	const struct check c = { .state = s,
		.model = source->model,
		.findings = findings,
		.file = phi_member_name(s->member) };
	return check_header(&c, err) || check_format(&c, err) || check_alignment(&c, err) ||
			       check_order(&c, err)
		       ? -1
		       : 0;
}
