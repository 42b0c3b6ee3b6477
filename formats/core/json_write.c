#include "formats/core/json_write.h"

#include "formats/core/decimal.h"
#include "formats/core/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void
put(struct phi_json_writer *w, const char *s, size_t n)
{
	if (!w->failed && phi_buffer_append(w->out, s, n, w->err) < 0)
		w->failed = true;
}

static void
quote(struct phi_json_writer *w, struct phi_string s)
{
	if (!w->failed && phi_json_append_string(w->out, s.data, s.size, w->err) < 0)
		w->failed = true;
}

static void
line(struct phi_json_writer *w)
{
	put(w, "\n", 1);
	for (unsigned i = 0; i < w->depth; i++)
		put(w, "  ", 2);
}

/* What stands before a value: a comma if it is not the first, and its key. */
static void
lead(struct phi_json_writer *w, const struct phi_string *key)
{
	bool *const filled = &w->filled[w->depth];
	if (*filled)
		put(w, ",", 1);
	*filled = true;
	line(w);
	if (key) {
		quote(w, *key);
		put(w, ": ", 2);
	}
}

static void
lead_named(struct phi_json_writer *w, const char *key)
{
	const struct phi_string s = { key, key ? strlen(key) : 0 };
	lead(w, key ? &s : NULL);
}

static void
descend(struct phi_json_writer *w, char kind)
{
	put(w, &kind, 1);
	w->filled[++w->depth] = false;
}

void
phi_json_write_begin(struct phi_json_writer *w, struct phi_buffer *out, struct phi_err *err)
{
	*w = (struct phi_json_writer){ .out = out, .err = err, .depth = 1 };
	put(w, "{", 1);
}

int
phi_json_write_end(struct phi_json_writer *w)
{
	phi_json_write_close(w, '}');
	put(w, "\n", 1);
	return w->failed ? -1 : 0;
}

void
phi_json_write_open(struct phi_json_writer *w, const char *key, char kind)
{
	lead_named(w, key);
	descend(w, kind);
}

void
phi_json_write_string_open(struct phi_json_writer *w, struct phi_string key, char kind)
{
	lead(w, &key);
	descend(w, kind);
}

void
phi_json_write_close(struct phi_json_writer *w, char kind)
{
	const bool filled = w->filled[w->depth--];
	if (filled)
		line(w);
	put(w, &kind, 1);
}

void
phi_json_write_word(struct phi_json_writer *w, const char *key, const char *word)
{
	lead_named(w, key);
	put(w, word, strlen(word));
}

void
phi_json_write_flag(struct phi_json_writer *w, const char *key, bool flag)
{
	phi_json_write_word(w, key, flag ? "true" : "false");
}

void
phi_json_write_count(struct phi_json_writer *w, const char *key, uint64_t v)
{
	char text[24];
	snprintf(text, sizeof text, "%" PRIu64, v);
	phi_json_write_word(w, key, text);
}

void
phi_json_write_real(struct phi_json_writer *w, const char *key, double v, bool single)
{
	char text[PHI_DECIMAL_MAX];
	phi_json_write_word(w, key, phi_decimal(text, v, single));
}

void
phi_json_write_text(struct phi_json_writer *w, const char *key, const char *text)
{
	phi_json_write_string(w, key, (struct phi_string){ text, strlen(text) });
}

void
phi_json_write_string(struct phi_json_writer *w, const char *key, struct phi_string text)
{
	lead_named(w, key);
	quote(w, text);
}

void
phi_json_write_keyed_count(struct phi_json_writer *w, struct phi_string key, uint64_t v)
{
	char text[24];
	lead(w, &key);
	snprintf(text, sizeof text, "%" PRIu64, v);
	put(w, text, strlen(text));
}
