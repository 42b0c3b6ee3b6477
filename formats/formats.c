/* The registry: which format is this, and which suffix means what. The only file that knows all
 * formats; they know each other only through the registry it hands them. */
#include "formats/formats.h"

#include "formats/core/escape.h"
#include "formats/inside.h"
#include "formats/models/family.h"
#include "formats/packed/packed.h"

#include <string.h>
#include <sys/stat.h>

#define FORMAT(name) extern const struct phi_format phi_format_##name;
#include "formats/formats.def"
#undef FORMAT

const struct phi_format *const phi_formats[] = {
#define FORMAT(name) &phi_format_##name,
#include "formats/formats.def"
#undef FORMAT
	NULL,
};

static struct phi_source *open_member(struct phi_store *, const char *,
	const struct phi_open_options *, struct phi_err *);
static struct phi_source *open_whole(const char *, struct phi_store *,
	const struct phi_open_options *, struct phi_err *);
static int plan_file(const char *, struct phi_plan *, unsigned, const uint32_t *, size_t,
	struct phi_err *);
static const struct phi_registry registry = { .open_member = open_member, .open_as = open_whole,
	.settle = phi_settle_description, .plan_file = plan_file };

const struct phi_format *
phi_format_named(const char *name)
{
	for (size_t i = 0; phi_formats[i]; i++)
		if (!strcmp(phi_formats[i]->name, name))
			return phi_formats[i];
	return NULL;
}

const struct phi_format *
phi_format_in_folder(const char *name)
{
	for (size_t i = 0; phi_formats[i]; i++)
		if (phi_formats[i]->folder_of && !strcmp(phi_formats[i]->folder_of, name))
			return phi_formats[i];
	return phi_format_named(name);
}

static bool
ends_with(const char *path, const char *suffix)
{
	const size_t n = strlen(path), m = strlen(suffix);
	return n > m && !strcmp(path + n - m, suffix);
}

const struct phi_format *
phi_format_suffix(const char *path)
{
	struct stat st;
	if (ends_with(path, "/") || (stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
		return phi_format_named("hf");
	for (size_t i = 0; phi_formats[i]; i++)
		for (const char *const *s = phi_formats[i]->suffixes; s && *s; s++)
			if (phi_formats[i]->complete && ends_with(path, *s))
				return phi_formats[i];
	return NULL;
}

/* Where the target cannot hold the blocks of other runtimes, and had no say about them. */
static void
leave_fields(struct phi_model *lowered)
{
	for (size_t i = 0; i < lowered->ntensors; i++) {
		struct phi_tensor *const t = &lowered->tensors[i];
		struct phi_type_fields fields;
		if (phi_type_fields(t->type, &fields))
			t->type = phi_type_of(fields.floats);
	}
}

struct phi_model *
phi_lower(const struct phi_model *model, const struct phi_format *target,
	const struct phi_lower_options *options, struct phi_err *err)
{
	struct phi_model *const lowered = target->lower ? target->lower(model, options, err)
							: phi_model_lower_same(model, err);
	if (lowered && phi_packed_lower(lowered, err) < 0) {
		phi_model_free(lowered);
		return NULL;
	}
	if (lowered && !(target->flags & PHI_FORMAT_FIELDS))
		leave_fields(lowered);
	return lowered;
}

static int
plan_file(const char *format, struct phi_plan *plan, unsigned file, const uint32_t *tensors,
	size_t count, struct phi_err *err)
{
	const struct phi_format *const f = phi_format_named(format);
	if (!f || !f->plan_file)
		return phi_fail(err, PHI_UNSUPPORTED, "format %s cannot be written", format);
	return f->plan_file(plan, file, tensors, count, err);
}

struct phi_plan *
phi_plan_make(struct phi_model *lowered, const struct phi_format *format,
	const struct phi_plan_options *options, struct phi_err *err)
{
	struct phi_plan_options inner = *options;
	inner.registry = &registry;
	return phi_plan_new(lowered, format, &inner, err);
}

/* The highest bid among the readable formats; two equal ones are an error of ours or a file made to be
 * two things at once: the first in formats.def has it, since cheap and certain bids come first. */
const struct phi_format *
phi_format_best(const struct phi_probe *probe)
{
	const struct phi_format *best = NULL;
	int highest = 0;
	for (size_t i = 0; phi_formats[i]; i++) {
		const struct phi_format *const f = phi_formats[i];
		const int bits = f->open && f->bid ? f->bid(probe) : 0;
		if (bits > highest) {
			best = f;
			highest = bits;
		}
	}
	return best;
}

/* A tar has "ustar" at 257; the stream's own bid comes first, so what is left is someone's folder. */
bool
phi_format_is_tar(const struct phi_probe *probe)
{
	return probe->size >= 263 && !memcmp(probe->head + 257, "ustar", 5);
}

static const struct phi_format *
wanted(const struct phi_probe *probe, const char *name, struct phi_err *err)
{
	const struct phi_format *const f = name ? phi_format_named(name) : phi_format_best(probe);
	if (name && (!f || !f->open))
		phi_fail(err, PHI_ARGUMENT, "no format %s can be read", name);
	return f && f->open ? f : NULL;
}

static struct phi_source *
open_as(const struct phi_format *format, struct phi_store *store, struct phi_member *member,
	const struct phi_open_options *options, struct phi_err *err)
{
	/* What cannot be read in order goes to a file first. */
	if (member && phi_member_sequential(member) &&
		(options->random || !(format->flags & PHI_FORMAT_FLOWS_IN)) &&
		phi_member_spool(member, err) < 0) {
		phi_member_close(member);
		return NULL;
	}
	phi_member_close(member);
	struct phi_source *const source = format->open(store, options, err);
	if (source)
		source->format = format->name;
	return source;
}

static struct phi_source *open_store(struct phi_store *, const struct phi_open_options *,
	struct phi_err *);

/* A tar that is not our stream: its entries are a folder. */
static struct phi_source *
open_tar(struct phi_member *member, const struct phi_open_options *options, struct phi_err *err)
{
	if (phi_member_sequential(member) && phi_member_spool(member, err) < 0) {
		phi_member_close(member);
		return NULL;
	}
	struct phi_store *const tar = phi_store_tar(member, err);
	struct phi_source *const source = tar ? open_store(tar, options, err) : NULL;
	if (source)
		source->store = tar;
	else
		phi_store_close(tar);
	return source;
}

static struct phi_source *
open_store(struct phi_store *store, const struct phi_open_options *options, struct phi_err *err)
{
	struct phi_probe probe = { .kind = phi_store_kind(store), .store = store,
		.name = phi_store_path(store) };
	struct phi_member *member = NULL;
	const struct phi_format *format;
	if (probe.kind == PHI_STORE_FILE || probe.kind == PHI_STORE_PIPE) {
		member = phi_store_member(store, NULL, err);
		if (!member || phi_member_peek(member, &probe.head, &probe.size, err) < 0) {
			phi_member_close(member);
			return NULL;
		}
		if (probe.size == 0) {
			phi_member_close(member);
			phi_fail(err, PHI_TRUNCATED, "empty");
			return NULL;
		}
	}
	if (err)
		err->kind = PHI_OK;
	format = wanted(&probe, options->format, err);
	if (format)
		return open_as(format, store, member, options, err);
	if (!options->format && member && phi_format_is_tar(&probe))
		return open_tar(member, options, err);
	phi_member_close(member);
	if (!options->format)
		phi_fail(err, PHI_UNSUPPORTED, "no model format that is known here");
	return NULL;
}

static struct phi_source *
open_whole(const char *name, struct phi_store *store, const struct phi_open_options *options,
	struct phi_err *err)
{
	const struct phi_format *const format = phi_format_named(name);
	if (format && format->open)
		return format->open(store, options, err);
	phi_fail(err, PHI_UNSUPPORTED, "format %s cannot be read", name);
	return NULL;
}

static struct phi_source *
open_member(struct phi_store *store, const char *name, const struct phi_open_options *options,
	struct phi_err *err)
{
	struct phi_open_options inner = *options;
	inner.format = NULL;
	inner.name = NULL;
	inner.registry = &registry;
	struct phi_store *const single = phi_store_single(store, name, err);
	struct phi_source *const source = single ? open_store(single, &inner, err) : NULL;
	if (source && phi_model_check(source->model, err) == 0) {
		source->outer = single;
		return source;
	}
	phi_source_close(source);
	phi_store_close(single);
	struct phi_quoted q;
	phi_context(err, "%s", phi_quote(&q, name));
	return NULL;
}

int
phi_settle_description(struct phi_source *source, const struct phi_open_options *options,
	struct phi_err *err)
{
	struct phi_model *const model = source->model;
	if (options->name) {
		model->name = phi_arena_strdup(model->arena, options->name, err);
		if (!model->name)
			return -1;
	}
	if (phi_model_check(model, err) < 0 ||
		(!options->members && phi_packed_view(source, options->spool, err) < 0) ||
		phi_model_find_aliases(model, err) < 0)
		return -1;
	return phi_family_assign(model, err);
}

struct phi_source *
phi_open(const char *path, const struct phi_open_options *options, struct phi_err *err)
{
	struct phi_open_options inner = *options;
	inner.registry = &registry;
	struct phi_store *const store = phi_store_open(path, options->spool, err);
	if (!store)
		return NULL;
	struct phi_quoted q;
	struct phi_source *const source = open_store(store, &inner, err);
	if (!source) {
		phi_context(err, "%s", phi_quote(&q, phi_store_path(store)));
		phi_store_close(store);
		return NULL;
	}
	source->outer = store;
	if (phi_settle_description(source, &inner, err) == 0)
		return source;
	phi_context(err, "%s", phi_quote(&q, phi_store_path(store)));
	phi_source_close(source);
	return NULL;
}

int
phi_check_format(struct phi_source *source, const struct phi_findings *findings, struct phi_err *err)
{
	if (source->ops->check && source->ops->check(source, findings, err))
		return -1;
	return phi_packed_check(source, findings, err);
}

static int
patch_store(struct phi_store *store, const struct phi_edit *edits, size_t nedits,
	struct phi_patch *patch, struct phi_err *err)
{
	struct phi_probe probe = { .kind = phi_store_kind(store), .store = store,
		.name = phi_store_path(store) };
	if (probe.kind != PHI_STORE_FILE)
		return phi_fail(err, PHI_ARGUMENT, "only a file is changed in place");
	struct phi_member *const member = phi_store_member(store, NULL, err);
	if (!member || phi_member_peek(member, &probe.head, &probe.size, err) < 0) {
		phi_member_close(member);
		return -1;
	}
	const struct phi_format *const format = phi_format_best(&probe);
	phi_member_close(member);
	if (!format || !format->patch)
		return phi_fail(err, PHI_UNSUPPORTED, "%s is not changed in place; write a new file "
			"with -o", format ? format->name : "what is no model");
	return format->patch(store, edits, nedits, patch, err);
}

int
phi_edit_in_place(const char *path, const struct phi_edit *edits, size_t nedits,
	struct phi_patch *patch, struct phi_err *err)
{
	struct phi_store *const store = phi_store_open(path, NULL, err);
	struct phi_quoted q;
	if (!store)
		return -1;
	int result = patch_store(store, edits, nedits, patch, err);
	if (result)
		result = phi_context(err, "%s", phi_quote(&q, phi_store_path(store)));
	phi_store_close(store);
	return result;
}
