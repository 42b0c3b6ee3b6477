#include "formats/core/json.h"

#include "formats/core/buffer.h"
#include "formats/core/escape.h"
#include "formats/core/json_load.h"
#include "formats/core/limits.h"

#include <stdbool.h>
#include <string.h>

/* Does the character end a token outside of strings? */
static bool
divides(char c)
{
	switch (c) {
	case '{':
	case '}':
	case '[':
	case ']':
	case ',':
	case ':':
	case ' ':
	case '\t':
	case '\n':
	case '\r':
		return true;
	default:
		return false;
	}
}

/* jansson parses and frees by recursion, up to 2048 deep: nesting is limited before it sees the text.
 * Brackets inside strings do not count; whether they pair up is jansson's to say. A NUL byte, which no
 * JSON has, is looked for here since jansson overlooks one right behind a number. On the way the longest
 * string or number is found. */
static int
survey(const char *text, size_t size, size_t *token, struct phi_err *err)
{
	const char *const nul = size ? memchr(text, '\0', size) : NULL;
	if (nul)
		return phi_fail(err, PHI_FORMAT, "JSON byte %zu: NUL byte", (size_t)(nul - text));
	unsigned depth = 0;
	bool quoted = false;
	size_t start = 0;
	*token = 0;
	for (size_t i = 0; i < size; i++) {
		const char c = text[i];
		if (quoted && c == '\\')
			i++;
		if (c != '"' && (quoted || !divides(c)))
			continue;
		if (i - start > *token)
			*token = i - start;
		start = i;
		if (c == '"')
			quoted = !quoted;
		else if ((c == '{' || c == '[') && ++depth > PHI_JSON_DEPTH_MAX)
			return phi_fail(err, PHI_LIMIT, "JSON byte %zu: nested deeper than %d", i,
				PHI_JSON_DEPTH_MAX);
		else if ((c == '}' || c == ']') && depth > 0)
			depth--;
	}
	if (size - start > *token)
		*token = size - start;
	return 0;
}

/* `start`: where in the caller's text jansson's began. */
static int
fail_json(const json_error_t *error, size_t start, struct phi_err *err)
{
	/* Out of memory, or more digits and letters in one token than size_t counts eightfold. */
	if (!error->text[0])
		return phi_fail(err, PHI_MEMORY, "out of memory reading JSON");
	if (json_error_code(error) == json_error_null_character ||
		json_error_code(error) == json_error_null_byte_in_key)
		return phi_fail(err, PHI_FORMAT, "JSON byte %zu: a NUL in a text",
			start + (size_t)error->position);
	struct phi_quoted q;
	return phi_fail(err, PHI_FORMAT, "JSON byte %zu: %s", start + (size_t)error->position,
		phi_quote(&q, error->text));
}

/* Does the integer literal of n bytes fall outside int64? JSON forbids leading zeros. */
static bool
is_big(const char *p, size_t n)
{
	const bool negative = n && *p == '-';
	const char *const limit = negative ? "9223372036854775808" : "9223372036854775807";
	p += negative;
	n -= negative;
	return n > 19 || (n == 19 && memcmp(p, limit, 19) > 0);
}

/* Bytes of the number at text[i], and whether it has neither point nor exponent. */
static size_t
number_at(const char *text, size_t size, size_t i, bool *integer)
{
	size_t n = 0;
	*integer = true;
	while (i + n < size && text[i + n] && strchr("+-.eE0123456789", text[i + n])) {
		if (strchr("+.eE", text[i + n]))
			*integer = false;
		n++;
	}
	return n;
}

/* Copies the text, giving each integer that does not fit 64 bits a ".0". (jansson's
 * JSON_DECODE_INT_AS_REAL would round all the others above 2^53.) */
static int
spell_big_integers(const char *text, size_t size, struct phi_buffer *out, struct phi_err *err)
{
	size_t done = 0;
	bool quoted = false, integer;
	for (size_t i = 0; i < size; i++) {
		if (quoted || text[i] == '"') {
			if (quoted && text[i] == '\\')
				i++;
			else if (text[i] == '"')
				quoted = !quoted;
			continue;
		}
		const size_t n = number_at(text, size, i, &integer);
		if (n == 0)
			continue;
		if (integer && is_big(text + i, n)) {
			if (phi_buffer_append(out, text + done, i + n - done, err) ||
				phi_buffer_append(out, ".0", 2, err))
				return -1;
			done = i + n;
		}
		i += n - 1;
	}
	return phi_buffer_append(out, text + done, size - done, err);
}

static json_t *
parse_respelled(const char *text, size_t size, size_t flags, size_t token, struct phi_err *err)
{
	struct phi_buffer copy = { 0 };
	json_error_t error;
	json_t *json = NULL;
	if (!spell_big_integers(text, size, &copy, err)) {
		json = phi_json_load((const char *)copy.data, copy.size, flags, token + 2, &error);
		if (!json)
			fail_json(&error, 0, err);
	}
	phi_buffer_free(&copy);
	return json;
}

/* A tree takes some forty times the text where that is short values, so these are counted before it is
 * built. Commas and brackets outside strings are about as many; counts up to the end of the first
 * value. */
static int
check_values(const char *text, size_t size, size_t most, struct phi_err *err)
{
	size_t values = 0;
	unsigned depth = 0;
	bool quoted = false;
	for (size_t i = 0; i < size; i++) {
		const char c = text[i];
		if (quoted || c == '"') {
			if (quoted && c == '\\')
				i++;
			else if (c == '"')
				quoted = !quoted;
			continue;
		}
		if (c == '[' || c == '{')
			depth++;
		else if (c == ']' || c == '}')
			depth -= depth != 0;
		else if (c != ',')
			continue;
		if (!depth)
			break;
		if (++values > most)
			return phi_fail(err, PHI_LIMIT, "JSON: more than %zu values in one", most);
	}
	return 0;
}

json_t *
phi_json_parse(const char *text, size_t size, unsigned flags, struct phi_err *err)
{
	size_t token;
	if (survey(text, size, &token, err) ||
		check_values(text, size, PHI_JSON_VALUES_MAX, err))
		return NULL;
	const size_t load = (flags & PHI_JSON_KEEP_DUPLICATES ? 0 : JSON_REJECT_DUPLICATES) |
		(flags & PHI_JSON_NULS ? JSON_ALLOW_NUL : 0);
	json_error_t error;
	json_t *const json = phi_json_load(text, size, load, token, &error);
	if (json)
		return json;
	if (json_error_code(&error) == json_error_numeric_overflow && flags & PHI_JSON_BIG_INTEGERS)
		return parse_respelled(text, size, load, token, err);
	fail_json(&error, 0, err);
	return NULL;
}

static void
skip_space(struct phi_json_members *m)
{
	while (m->at < m->size && m->text[m->at] && strchr(" \t\n\r", m->text[m->at]))
		m->at++;
}

/* Skips space, then takes `c` if it comes next. */
static bool
take(struct phi_json_members *m, char c)
{
	skip_space(m);
	if (m->at == m->size || m->text[m->at] != c)
		return false;
	m->at++;
	return true;
}

static int
expected(const struct phi_json_members *m, const char *what, struct phi_err *err)
{
	return phi_fail(err, PHI_FORMAT, "JSON byte %zu: %s expected%s", m->at, what,
		m->at < m->size ? "" : ", but the text ends");
}

/* One value at the present place; jansson says how many bytes it took. */
static json_t *
take_value(struct phi_json_members *m, struct phi_err *err)
{
	json_error_t error;
	json_t *const value = phi_json_load(m->text + m->at, m->size - m->at,
		JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL,
		m->token, &error);
	if (value)
		m->at += (size_t)error.position;
	else
		fail_json(&error, m->at, err);
	return value;
}

int
phi_json_members_begin(struct phi_json_members *members, const char *text, size_t size,
	struct phi_err *err)
{
	*members = (struct phi_json_members){ .text = text, .size = size };
	if (survey(text, size, &members->token, err))
		return -1;
	return take(members, '{') ? 0 : expected(members, "'{'", err);
}

/* Name and colon. */
static int
take_name(struct phi_json_members *m, struct phi_err *err)
{
	skip_space(m);
	if (m->at == m->size || m->text[m->at] != '"')
		return expected(m, "a name", err);
	m->name = take_value(m, err);
	if (!m->name)
		return -1;
	if (!take(m, ':'))
		return expected(m, "':'", err);
	skip_space(m);
	return 0;
}

/* The comma before all members but the first; 1 at the end of the object. */
static int
take_separator(struct phi_json_members *m, struct phi_err *err)
{
	const bool first = !m->name;
	phi_json_members_end(m);
	if (take(m, '}'))
		return 1;
	return first || take(m, ',') ? 0 : expected(m, "',' or '}'", err);
}

int
phi_json_members_next(struct phi_json_members *members, struct phi_err *err)
{
	const int status = take_separator(members, err);
	if (status > 0) {
		if (members->nested)
			return 0;
		skip_space(members);
		return members->at == members->size ? 0 : expected(members, "the end", err);
	}
	if (status || take_name(members, err) ||
		check_values(members->text + members->at, members->size - members->at,
			PHI_JSON_MEMBER_VALUES_MAX, err))
		return -1;
	members->value = take_value(members, err);
	return members->value ? 1 : -1;
}

int
phi_json_members_enter(struct phi_json_members *outer, const char *name,
	struct phi_json_members *inner, struct phi_err *err)
{
	const int status = take_separator(outer, err);
	if (status < 0)
		return -1;
	if (!status && take_name(outer, err))
		return -1;
	if (status || strcmp(json_string_value(outer->name), name) != 0)
		return phi_fail(err, PHI_FORMAT, "JSON byte %zu: \"%s\" expected", outer->at, name);
	*inner = (struct phi_json_members){ .text = outer->text, .size = outer->size,
		.at = outer->at, .nested = true };
	return take(inner, '{') ? 0 : expected(inner, "'{'", err);
}

void
phi_json_members_leave(struct phi_json_members *outer, struct phi_json_members *inner)
{
	phi_json_members_end(inner);
	outer->at = inner->at;
}

void
phi_json_members_end(struct phi_json_members *members)
{
	json_decref(members->name);
	json_decref(members->value);
	members->name = members->value = NULL;
}

/* Bytes of the valid UTF-8 character at s[0..n), or 0. */
static size_t
character(const char *s, size_t n)
{
	const unsigned char c = (unsigned char)*s;
	const size_t length = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
	return length <= n && phi_utf8_valid(s, length) ? length : 0;
}

static int
append_escape(struct phi_buffer *buffer, char c, struct phi_err *err)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *const at = c ? strchr(from, c) : NULL;
	if (at)
		return phi_buffer_printf(buffer, err, "\\%c", to[at - from]);
	return phi_buffer_printf(buffer, err, "\\u%04x", (unsigned)(unsigned char)c);
}

int
phi_json_append_string(struct phi_buffer *buffer, const char *s, size_t n, struct phi_err *err)
{
	if (phi_buffer_append(buffer, "\"", 1, err))
		return -1;
	size_t done = 0;
	for (size_t i = 0; i < n;) {
		const size_t length = character(s + i, n - i);
		const bool plain = length && (unsigned char)s[i] >= 0x20 && s[i] != '"' && s[i] != '\\';
		if (plain) {
			i += length;
			continue;
		}
		if (phi_buffer_append(buffer, s + done, i - done, err))
			return -1;
		if (length ? append_escape(buffer, s[i], err)
			   : phi_buffer_append(buffer, "\xEF\xBF\xBD", 3, err))
			return -1;
		done = ++i;
	}
	if (phi_buffer_append(buffer, s + done, n - done, err))
		return -1;
	return phi_buffer_append(buffer, "\"", 1, err);
}
