/* What all parts of --scan share: reading, findings, limits. */
#include "formats/pytorch/scan.h"

#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/core/spool.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
phi_scan_read(const struct phi_scan_input *in, uint64_t at, void *dst, size_t n, struct phi_err *err)
{
	if (in->memory) {
		memcpy(dst, in->memory + in->base + at, n);
		return 0;
	}
	return in->spool ? phi_spool_read(in->spool, in->base + at, dst, n, err)
			 : phi_member_read(in->member, in->base + at, dst, n, err);
}

struct phi_scan_input
phi_scan_part(const struct phi_scan_input *in, uint64_t at, uint64_t size)
{
	struct phi_scan_input part = *in;
	part.base += at;
	part.size = size;
	if (!part.frozen)
		part.origin += at;
	return part;
}

const uint8_t *
phi_scan_look(struct phi_scan_window *w, uint64_t at, size_t n, size_t *left, struct phi_err *err)
{
	const struct phi_scan_input *const in = w->in;
	const uint64_t rest = at < in->size ? in->size - at : 0;
	const size_t reach = rest < PHI_SCAN_WINDOW ? (size_t)rest : PHI_SCAN_WINDOW;
	if (in->memory) {
		*left = reach;
		return reach < n ? NULL : in->memory + in->base + at;
	}
	if (at < w->at || at - w->at > w->size || w->size - (size_t)(at - w->at) < n) {
		*left = reach;
		if (reach < n)
			return NULL;
		if (!w->bytes && !(w->bytes = phi_alloc(PHI_SCAN_WINDOW, err)))
			return NULL;
		w->size = 0;
		if (phi_scan_read(in, at, w->bytes, reach, err))
			return NULL;
		w->at = at;
		w->size = reach;
	}
	*left = w->size - (size_t)(at - w->at);
	return w->bytes ? w->bytes + (at - w->at) : (const uint8_t *)"";
}

void
phi_scan_window_free(struct phi_scan_window *w)
{
	phi_free(w->bytes);
	w->bytes = NULL;
	w->size = 0;
}

static const struct {
	const char *id;
	enum phi_severity severity;
} rules[] = {
#define RULE(name, id, severity, text) { id, PHI_FINDING_##severity },
#include "formats/pytorch/scan_rules.def"
#undef RULE
};

void
phi_scan_spend(struct phi_scan *s, uint64_t n)
{
	s->steps -= n < s->steps ? n : s->steps;
}

/* 1: it was said already, or too much was. */
static int
remember(struct phi_scan *s, const struct phi_scan_input *in, const char *id, const char *text,
	struct phi_err *err)
{
	char key[4096];
	const int wanted = snprintf(key, sizeof key, "%s\n%s\n%s", id, text, in->entry ? in->entry : "");
	const size_t n = wanted < (int)sizeof key ? (size_t)wanted : sizeof key - 1;
	if (phi_names_find(s->said, key, n) != PHI_NONE)
		return 1;
	const char *const copy = phi_arena_copy(s->arena, key, n, err);
	const int there = copy ? phi_names_add(s->said, copy, n, 0, err) : -1;
	if (there)
		return there;
	return s->nsaid++ >= PHI_SCAN_FINDINGS_MAX;
}

/* What is left is not looked at: said once. */
static int
say_full(struct phi_scan *s, const struct phi_scan_input *in, const char *what, struct phi_err *err)
{
	if (s->full)
		return 0;
	s->full = true;
	return phi_finding_emit(s->findings, PHI_FINDING_UNSCANNABLE, rules[PHI_RULE_LIMIT].id, NULL,
		in->entry, UINT64_MAX, err, "%s; what is left was not looked at", what);
}

int
phi_scan_emit(struct phi_scan *s, const struct phi_scan_input *in, enum phi_scan_rule rule,
	uint64_t at, struct phi_err *err, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	phi_scan_spend(s, 64);
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (s->nsaid >= PHI_SCAN_FINDINGS_MAX)
		return say_full(s, in, "more findings than are printed", err);
	const int there = remember(s, in, rules[rule].id, text, err);
	if (there)
		return there < 0 ? -1 : 0;
	const uint64_t offset = at == UINT64_MAX ? at : in->frozen ? in->origin : in->origin + at;
	return phi_finding_emit(s->findings, rules[rule].severity, rules[rule].id, NULL, in->entry,
		offset, err, "%s", text);
}

int
phi_scan_charge(struct phi_scan *s, const struct phi_scan_input *in, uint64_t n, struct phi_err *err)
{
	if (s->full)
		return 1;
	if (n <= s->volume) {
		s->volume -= n;
		return 0;
	}
	return say_full(s, in, "more bytes than are examined, counted as often as they are shared",
		       err) ? -1 : 1;
}
