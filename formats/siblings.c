/* The tokenizer in a GGUF against the files of the checkpoint beside it; and a folder's files among themselves. Both are
 * read into the neutral vocabulary, and that is compared, so that what differs in spelling only is no finding. */
#include "formats/formats.h"

#include "formats/core/config.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/models/family.h"
#include "formats/tokenizer/from_keys.h"
#include "formats/tokenizer/pretokenizer.h"

#include <inttypes.h>
#include <string.h>

static const char *const files[] = { "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "added_tokens.json",
	"chat_template.jinja", "chat_template.json", "config.json", NULL };

struct comparing {
	const struct phi_findings *findings;
	const struct phi_vocabulary *own, *other; /* the GGUF's, the folder's */
	struct phi_err *err;
};

/* The folder that the file lies in; NULL: there is none to be had, which is no failure. */
static struct phi_store *
open_beside(const struct phi_source *source, struct phi_arena *arena, struct phi_err *err)
{
	const char *const path = source->outer ? phi_store_path(source->outer) : NULL;
	if (!path || phi_store_kind(source->outer) != PHI_STORE_FILE)
		return NULL;
	const char *const slash = strrchr(path, '/');
	const char *const folder = !slash ? "." : slash == path ? "/"
		: phi_arena_copy(arena, path, (size_t)(slash - path), err);
	return folder ? phi_store_open(folder, NULL, NULL) : NULL;
}

static int
load(struct phi_model *beside, struct phi_store *store, const char *name, struct phi_err *err)
{
	void *data = NULL;
	size_t size;
	struct phi_member *const member = phi_store_member(store, name, err);
	int result = member ? phi_member_load(member, PHI_SIDE_MAX, &data, &size, err) : -1;
	if (!result)
		result = phi_model_add_side(beside, name, data, size, err);
	phi_free(data);
	phi_member_close(member);
	return result ? phi_context(err, "%s", name) : 0;
}

/* The folder's files as side files. 0: there is no tokenizer among them; 1; -1. */
static int
load_files(struct phi_model *beside, const struct phi_source *source, struct phi_err *err)
{
	struct phi_store *const store = open_beside(source, beside->arena, err);
	int result = store && (phi_store_has(store, files[0]) || phi_store_has(store, files[1]));
	for (const char *const *name = files; *name && result > 0; name++)
		if (phi_store_has(store, *name) && load(beside, store, *name, err))
			result = -1;
	const struct phi_side *const config = phi_model_side(beside, "config.json");
	if (result > 0 && config && phi_config_describe(beside, config->data, config->size, err))
		result = phi_context(err, "config.json");
	phi_store_close(store);
	return result;
}

static int
differ(const struct comparing *c, const char *rule, const char *what)
{
	return phi_finding_emit(c->findings, PHI_FINDING_INVALID, rule, NULL, NULL, UINT64_MAX, c->err, "%s", what);
}

static bool
same_text(struct phi_string a, struct phi_string b)
{
	return a.size == b.size && (!a.size || !memcmp(a.data, b.data, a.size));
}

static int
compare_pre(const struct comparing *c)
{
	struct phi_pretokenizer a, b;
	struct phi_quoted q, r;
	if (!strcmp(c->own->model, "llama") || !c->own->pre || !c->other->pre || !strcmp(c->own->pre, c->other->pre))
		return 0;
	/* Several names may mean one pattern. */
	if (phi_pretokenizer_find(c->own->pre, &a) && phi_pretokenizer_find(c->other->pre, &b) &&
		a.regex == b.regex && a.ignore_merges == b.ignore_merges)
		return 0;
	return phi_finding_emit(c->findings, PHI_FINDING_INVALID, "tokenizer.pre", NULL, NULL, UINT64_MAX, c->err,
		"the pre-tokenizer is %s, that of tokenizer.json beside it %s", phi_quote(&q, c->own->pre),
		phi_quote(&r, c->other->pre));
}

static int
compare_tokens(const struct comparing *c)
{
	const struct phi_vocabulary *const a = c->own, *const b = c->other;
	const uint32_t n = a->ntokens < b->ntokens ? a->ntokens : b->ntokens;
	uint32_t others = 0, first = 0;
	struct phi_quoted q, r;
	if (a->ntokens != b->ntokens && phi_finding_emit(c->findings, PHI_FINDING_INVALID, "tokenizer.size", NULL, NULL,
		UINT64_MAX, c->err, "%" PRIu32 " tokens, the folder's files make %" PRIu32, a->ntokens, b->ntokens))
		return -1;
	for (uint32_t i = 0; i < n; i++)
		if (!same_text(a->tokens[i], b->tokens[i]) && !others++)
			first = i;
	return !others ? 0 : phi_finding_emit(c->findings, PHI_FINDING_INVALID, "tokenizer.tokens", NULL, NULL, UINT64_MAX,
		c->err, "%" PRIu32 " tokens are others than in the folder's files, the first is %" PRIu32 ", %s for %s", others,
		first, phi_quote(&q, a->tokens[first].data), phi_quote(&r, b->tokens[first].data));
}

static int
compare_merges(const struct comparing *c)
{
	const struct phi_vocabulary *const a = c->own, *const b = c->other;
	bool same = a->nmerges == b->nmerges;
	for (uint32_t i = 0; same && i < a->nmerges; i++)
		same = same_text(a->merges[i], b->merges[i]);
	return same || !strcmp(a->model, "llama") ? 0
		: differ(c, "tokenizer.merges", "the merges are others than in tokenizer.json beside it");
}

static int
compare_special(const struct comparing *c)
{
	for (int i = 0; i < PHI_SPECIALS; i++) {
		const int64_t a = c->own->special[i], b = c->other->special[i];
		if (a != b && phi_special_key((enum phi_special)i) &&
			phi_finding_emit(c->findings, PHI_FINDING_INVALID, "tokenizer.special", NULL, NULL, UINT64_MAX, c->err,
				"the %s token is %" PRId64 ", by the folder's files %" PRId64 " (-1: none)",
				phi_special_name((enum phi_special)i), a, b))
			return -1;
	}
	return 0;
}

static int
compare(const struct comparing *c)
{
	if (strcmp(c->own->model, c->other->model))
		return differ(c, "tokenizer.kind", "the tokens are of another kind than those of tokenizer.json beside it");
	if (compare_pre(c) || compare_tokens(c) || compare_merges(c) || compare_special(c))
		return -1;
	return same_text(c->own->chat_template, c->other->chat_template) ? 0
		: differ(c, "tokenizer.chat-template", "the chat template is another than the folder's");
}

/* A failure to read is a finding, unless it is ours; what is not known here is none of the file's faults. */
static int
find_failure(const struct phi_findings *findings, const char *rule, const struct phi_err *why, struct phi_err *err)
{
	if (why->kind == PHI_MEMORY || why->kind == PHI_SYSTEM) {
		*err = *why;
		return -1;
	}
	return phi_finding_emit(findings, why->kind == PHI_UNSUPPORTED ? PHI_FINDING_INFO : PHI_FINDING_INVALID, rule, NULL,
		NULL, UINT64_MAX, err, "%s", why->text);
}

static int
check_beside(struct phi_source *source, struct phi_model *beside, const struct phi_findings *findings,
	struct phi_err *err)
{
	struct phi_vocabulary own, other;
	struct phi_err why = { 0 };
	const int there = load_files(beside, source, &why);
	if (there < 0)
		return find_failure(findings, "tokenizer.files", &why, err);
	const int found = !there ? 1
		: phi_vocabulary_from_keys(&source->model->metadata, UINT32_MAX, NULL, beside->arena, &own, &why);
	if (found)
		return found > 0 ? 0 : find_failure(findings, "tokenizer.keys", &why, err);
	if (phi_vocabulary_read(beside, own.ntokens, NULL, beside->arena, &other, &why) < 0)
		return find_failure(findings, "tokenizer.files", &why, err);
	return compare(&(struct comparing){ findings, &own, &other, err });
}

/* A folder's own files: do they make a vocabulary of the embedding's size? */
static int
check_folder(const struct phi_model *model, const struct phi_findings *findings, struct phi_err *err)
{
	struct phi_vocabulary v;
	struct phi_hparams h;
	struct phi_err why = { 0 };
	if (!model->family || phi_family_hparams(model, &h, NULL) < 0)
		return 0;
	struct phi_arena *const arena = phi_arena_new(err);
	int result = arena ? 0 : -1;
	if (arena && phi_vocabulary_read(model, h.vocab, NULL, arena, &v, &why) < 0)
		result = find_failure(findings, "tokenizer.files", &why, err);
	phi_arena_free(arena);
	return result;
}

int
phi_check_tokenizer(struct phi_source *source, const struct phi_findings *findings, struct phi_err *err)
{
	if (strcmp(source->model->view, "gguf"))
		return check_folder(source->model, findings, err);
	struct phi_model *const beside = phi_model_new("hf", err);
	const int result = beside ? check_beside(source, beside, findings, err) : -1;
	phi_model_free(beside);
	return result;
}
