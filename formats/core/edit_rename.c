/* s/ERE/REPLACEMENT/: names of tensors, by POSIX extended regular expressions. */
#include "formats/core/edit_inside.h"

#include "formats/core/buffer.h"
#include "formats/core/escape.h"

#include <regex.h>
#include <string.h>

enum { GROUPS = 10 };

struct rename {
	regex_t regex;
	const char *replacement;
	bool all; /* g */
};

/* Cuts s/A/B/flags in place: the separators become NULs, but for quoted ones, which lose their
 * backslash. Returns what follows, or NULL. */
static char *
cut(char *text, char separator)
{
	char *out = text;
	for (char *in = text; *in; in++) {
		if (*in == separator) {
			*out = '\0';
			return in + 1;
		}
		if (*in == '\\' && in[1] == separator)
			in++;
		else if (*in == '\\' && in[1])
			*out++ = *in++;
		*out++ = *in;
	}
	return NULL;
}

static int
read_rename(struct phi_arena *arena, const char *text, struct rename *r, struct phi_err *err)
{
	struct phi_quoted q;
	char *const copy = phi_arena_strdup(arena, text, err);
	if (!copy)
		return -1;
	const char separator = copy[0] == 's' ? copy[1] : '\0';
	char *const replacement = separator && separator != '\\' ? cut(copy + 2, separator) : NULL;
	const char *const flags = replacement ? cut(replacement, separator) : NULL;
	if (!flags || (*flags && strcmp(flags, "g") != 0))
		return phi_fail(err, PHI_ARGUMENT, "s/REGEX/TEXT/ is expected");
	r->replacement = replacement;
	r->all = *flags == 'g';
	const int status = regcomp(&r->regex, copy + 2, REG_EXTENDED);
	if (!status)
		return 0;
	char why[128];
	regerror(status, &r->regex, why, sizeof why);
	return phi_fail(err, PHI_ARGUMENT, "%s: %s", phi_quote(&q, copy + 2), why);
}

static int
replace(struct phi_buffer *b, const char *name, const regmatch_t *match, const char *replacement,
	struct phi_err *err)
{
	for (const char *p = replacement; *p; p++) {
		const bool quoted = *p == '\\' && p[1];
		const char c = quoted ? *++p : *p;
		int group = -1;
		if (quoted ? c >= '1' && c <= '9' : c == '&')
			group = quoted ? c - '0' : 0;
		if (group < 0) {
			if (phi_buffer_append(b, &c, 1, err))
				return -1;
		} else if (match[group].rm_so >= 0 &&
			phi_buffer_append(b, name + match[group].rm_so,
				(size_t)(match[group].rm_eo - match[group].rm_so), err)) {
			return -1;
		}
	}
	return 0;
}

/* The new name into the buffer; *fits: does the expression match? An empty match moves on by a byte. */
static int
spell(const struct rename *r, const char *name, struct phi_buffer *b, bool *fits,
	struct phi_err *err)
{
	regmatch_t match[GROUPS];
	int flags = 0;
	*fits = false;
	while (!regexec(&r->regex, name, GROUPS, match, flags)) {
		*fits = true;
		const size_t start = (size_t)match[0].rm_so, end = (size_t)match[0].rm_eo;
		if (phi_buffer_append(b, name, start, err) ||
			replace(b, name, match, r->replacement, err))
			return -1;
		name += end;
		if (start == end && *name && phi_buffer_append(b, name++, 1, err))
			return -1;
		if (!r->all || !*name)
			break;
		flags = REG_NOTBOL;
	}
	return phi_buffer_append(b, name, strlen(name) + 1, err);
}

static int
rename_one(struct phi_model *model, struct phi_tensor *t, const struct rename *r, size_t *renamed,
	struct phi_err *err)
{
	struct phi_buffer b = { 0 };
	struct phi_quoted q;
	bool fits;
	int result = spell(r, t->name, &b, &fits, err);
	if (!result && fits) {
		(*renamed)++;
		if (b.size == 1)
			result = phi_fail(err, PHI_ARGUMENT, "tensor %s would have no name",
				phi_quote(&q, t->name));
		else if (!(t->name = phi_arena_copy(model->arena, b.data, b.size, err)))
			result = -1;
	}
	phi_buffer_free(&b);
	return result;
}

static int
check_names(const struct phi_model *model, struct phi_err *err)
{
	struct phi_quoted q;
	struct phi_names *const names = phi_names_new(err);
	int result = names ? 0 : -1;
	for (size_t i = 0; !result && i < model->ntensors; i++) {
		const char *const name = model->tensors[i].name;
		result = phi_names_add(names, name, strlen(name), (uint32_t)i, err);
		if (result > 0)
			result = phi_fail(err, PHI_ARGUMENT, "two tensors would be named %s",
				phi_quote(&q, name));
	}
	phi_names_free(names);
	return result;
}

int
phi_edit_rename(struct phi_model *model, const char *text, struct phi_err *err)
{
	struct rename r;
	size_t renamed = 0;
	if (read_rename(model->arena, text, &r, err))
		return -1;
	int result = 0;
	for (size_t i = 0; !result && i < model->ntensors; i++)
		result = rename_one(model, &model->tensors[i], &r, &renamed, err);
	regfree(&r.regex);
	if (result)
		return -1;
	return renamed ? check_names(model, err)
		       : phi_fail(err, PHI_ARGUMENT, "it fits no tensor's name");
}
