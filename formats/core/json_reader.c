#include "formats/core/json_reader.h"

#include "formats/core/escape.h"
#include "formats/core/limits.h"

#include <string.h>

_Static_assert(PHI_JSON_DEPTH_MAX <= 64, "one bit of `arrays` a level");

enum { EXPECT_VALUE, EXPECT_FIRST_ELEMENT, EXPECT_FIRST_KEY, EXPECT_COMMA };

void
phi_json_reader_init(struct phi_json_reader *reader, const char *text, size_t size)
{
	*reader = (struct phi_json_reader){ .text = text, .size = size, .expect = EXPECT_VALUE };
}

static int
bad(const struct phi_json_reader *r, size_t at, const char *what, struct phi_err *err)
{
	if (at >= r->size)
		return phi_fail(err, PHI_FORMAT, "JSON byte %zu: %s, but the text ends", at, what);
	return phi_fail(err, PHI_FORMAT, "JSON byte %zu: %s", at, what);
}

static void
skip_space(struct phi_json_reader *r)
{
	while (r->at < r->size) {
		const char c = r->text[r->at];
		if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
			return;
		r->at++;
	}
}

static bool
in_array(const struct phi_json_reader *r)
{
	return r->depth && (r->arrays >> (r->depth - 1) & 1);
}

static int
open_container(struct phi_json_reader *r, bool array, struct phi_err *err)
{
	if (r->depth == PHI_JSON_DEPTH_MAX)
		return phi_fail(err, PHI_LIMIT, "JSON byte %zu: nested deeper than %d", r->at,
			PHI_JSON_DEPTH_MAX);
	r->arrays &= ~(UINT64_C(1) << r->depth);
	r->arrays |= (uint64_t)array << r->depth;
	r->depth++;
	r->at++;
	r->token = array ? PHI_JSON_ARRAY : PHI_JSON_OBJECT;
	r->expect = array ? EXPECT_FIRST_ELEMENT : EXPECT_FIRST_KEY;
	return 0;
}

static int
close_container(struct phi_json_reader *r)
{
	r->token = in_array(r) ? PHI_JSON_ARRAY_END : PHI_JSON_OBJECT_END;
	r->depth--;
	r->at++;
	r->expect = EXPECT_COMMA;
	return 0;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The number in the four hex digits at p[0..n), or -1. */
static int32_t
hex4(const char *p, size_t n)
{
	int32_t v = 0;
	if (n < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		const int digit = hex_digit(p[i]);
		if (digit < 0)
			return -1;
		v = v << 4 | digit;
	}
	return v;
}

/* At a backslash: checks the escape and moves behind it. A pair of surrogates is one escape. */
static int
scan_escape(struct phi_json_reader *r, bool key, struct phi_err *err)
{
	const size_t start = r->at;
	const char *const p = r->text + start;
	const size_t left = r->size - start;
	if (left < 2 || !memchr("\"\\/bfnrtu", p[1], 9))
		return bad(r, start, "not a string escape", err);
	r->at += 2;
	if (p[1] != 'u')
		return 0;
	const int32_t unit = hex4(p + 2, left - 2);
	if (unit < 0)
		return bad(r, start, "\\u needs four hex digits", err);
	if (unit == 0 && key)
		return bad(r, start, "\\u0000 in a name", err);
	r->at += 4;
	if (unit < 0xD800 || unit > 0xDFFF)
		return 0;
	const bool pair = unit < 0xDC00 && left >= 12 && p[6] == '\\' && p[7] == 'u';
	const int32_t low = pair ? hex4(p + 8, left - 8) : -1;
	if (low < 0xDC00 || low > 0xDFFF)
		return bad(r, start, "lone surrogate", err);
	r->at += 6;
	return 0;
}

/* At the opening quote. */
static int
scan_string(struct phi_json_reader *r, bool key, struct phi_err *err)
{
	const size_t start = ++r->at;
	r->escaped = false;
	while (r->at < r->size && r->text[r->at] != '"') {
		if ((unsigned char)r->text[r->at] < 0x20)
			return bad(r, r->at, "control byte in a string", err);
		if (r->text[r->at] != '\\') {
			r->at++;
			continue;
		}
		r->escaped = true;
		if (scan_escape(r, key, err))
			return -1;
	}
	if (r->at >= r->size)
		return bad(r, r->at, "closing quote expected", err);
	r->raw = r->text + start;
	r->raw_size = r->at - start;
	if (!phi_utf8_valid(r->raw, r->raw_size))
		return bad(r, start, "string is not UTF-8", err);
	r->at++;
	r->token = key ? PHI_JSON_KEY : PHI_JSON_STRING;
	return 0;
}

static size_t
scan_digits(struct phi_json_reader *r)
{
	const size_t start = r->at;
	while (r->at < r->size && r->text[r->at] >= '0' && r->text[r->at] <= '9')
		r->at++;
	return r->at - start;
}

static bool
take(struct phi_json_reader *r, char a, char b)
{
	const bool is = r->at < r->size && (r->text[r->at] == a || r->text[r->at] == b);
	r->at += is;
	return is;
}

static int
scan_number(struct phi_json_reader *r, struct phi_err *err)
{
	const size_t start = r->at;
	r->token = PHI_JSON_INTEGER;
	take(r, '-', '-');
	const size_t first = r->at;
	const size_t digits = scan_digits(r);
	if (digits == 0 || (digits > 1 && r->text[first] == '0'))
		return bad(r, start, "not a number", err);
	if (take(r, '.', '.')) {
		r->token = PHI_JSON_REAL;
		if (!scan_digits(r))
			return bad(r, r->at, "digit expected after the point", err);
	}
	if (take(r, 'e', 'E')) {
		r->token = PHI_JSON_REAL;
		if (!take(r, '+', '-'))
			take(r, '+', '+');
		if (!scan_digits(r))
			return bad(r, r->at, "digit expected in the exponent", err);
	}
	r->raw = r->text + start;
	r->raw_size = r->at - start;
	return 0;
}

static int
scan_word(struct phi_json_reader *r, struct phi_err *err)
{
	static const struct {
		const char *word;
		enum phi_json_token token;
	} words[] = {
		{ "true", PHI_JSON_TRUE },
		{ "false", PHI_JSON_FALSE },
		{ "null", PHI_JSON_NULL },
	};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		const size_t n = strlen(words[i].word);
		if (r->size - r->at < n || memcmp(r->text + r->at, words[i].word, n) != 0)
			continue;
		r->at += n;
		r->token = words[i].token;
		return 0;
	}
	return bad(r, r->at, "a value expected", err);
}

static int
scan_value(struct phi_json_reader *r, struct phi_err *err)
{
	if (r->at >= r->size)
		return bad(r, r->at, "a value expected", err);
	const char c = r->text[r->at];
	if (c == '{' || c == '[')
		return open_container(r, c == '[', err);
	r->expect = EXPECT_COMMA;
	if (c == '"')
		return scan_string(r, false, err);
	if (c == '-' || (c >= '0' && c <= '9'))
		return scan_number(r, err);
	return scan_word(r, err);
}

static int
scan_key(struct phi_json_reader *r, struct phi_err *err)
{
	if (r->at >= r->size || r->text[r->at] != '"')
		return bad(r, r->at, "a name in quotes expected", err);
	if (scan_string(r, true, err))
		return -1;
	skip_space(r);
	if (!take(r, ':', ':'))
		return bad(r, r->at, "':' expected", err);
	r->expect = EXPECT_VALUE;
	return 0;
}

/* After a value: the end, a closing bracket, or a comma and what follows it. */
static int
scan_comma(struct phi_json_reader *r, struct phi_err *err)
{
	if (r->depth == 0) {
		if (r->at < r->size)
			return bad(r, r->at, "bytes after the end of the JSON text", err);
		r->token = PHI_JSON_END;
		return 0;
	}
	const bool array = in_array(r);
	if (r->at < r->size && r->text[r->at] == (array ? ']' : '}'))
		return close_container(r);
	if (!take(r, ',', ','))
		return bad(r, r->at, array ? "',' or ']' expected" : "',' or '}' expected", err);
	skip_space(r);
	r->offset = r->at;
	return array ? scan_value(r, err) : scan_key(r, err);
}

int
phi_json_next(struct phi_json_reader *r, struct phi_err *err)
{
	skip_space(r);
	r->offset = r->at;
	const char c = r->at < r->size ? r->text[r->at] : '\0';
	switch (r->expect) {
	case EXPECT_FIRST_ELEMENT:
		return c == ']' ? close_container(r) : scan_value(r, err);
	case EXPECT_FIRST_KEY:
		return c == '}' ? close_container(r) : scan_key(r, err);
	case EXPECT_COMMA:
		return scan_comma(r, err);
	default:
		return scan_value(r, err);
	}
}

int
phi_json_expect(struct phi_json_reader *r, enum phi_json_token token, const char *what,
	struct phi_err *err)
{
	if (phi_json_next(r, err))
		return -1;
	if (r->token != token)
		return phi_fail(err, PHI_FORMAT, "JSON byte %zu: %s expected", r->offset, what);
	return 0;
}

int
phi_json_skip(struct phi_json_reader *r, struct phi_err *err)
{
	if (r->token != PHI_JSON_OBJECT && r->token != PHI_JSON_ARRAY)
		return 0;
	const unsigned outer = r->depth - 1;
	while (r->depth > outer)
		if (phi_json_next(r, err))
			return -1;
	return 0;
}

static size_t
put_utf8(char *dst, uint32_t c)
{
	if (c < 0x80) {
		dst[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		dst[0] = (char)(0xC0 | c >> 6);
		dst[1] = (char)(0x80 | (c & 0x3F));
		return 2;
	}
	if (c < 0x10000) {
		dst[0] = (char)(0xE0 | c >> 12);
		dst[1] = (char)(0x80 | (c >> 6 & 0x3F));
		dst[2] = (char)(0x80 | (c & 0x3F));
		return 3;
	}
	dst[0] = (char)(0xF0 | c >> 18);
	dst[1] = (char)(0x80 | (c >> 12 & 0x3F));
	dst[2] = (char)(0x80 | (c >> 6 & 0x3F));
	dst[3] = (char)(0x80 | (c & 0x3F));
	return 4;
}

/* One escape at p (checked by scan_escape): writes it, says how many bytes of p it took. */
static size_t
unescape_one(const char *p, char *dst, size_t *written)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	*written = 1;
	if (p[1] != 'u') {
		*dst = to[strchr(from, p[1]) - from];
		return 2;
	}
	const uint32_t unit = (uint32_t)hex4(p + 2, 4);
	if (unit < 0xD800 || unit > 0xDFFF) {
		*written = put_utf8(dst, unit);
		return 6;
	}
	const uint32_t low = (uint32_t)hex4(p + 8, 4);
	*written = put_utf8(dst, 0x10000 + ((unit - 0xD800) << 10 | (low - 0xDC00)));
	return 12;
}

size_t
phi_json_unescape(const struct phi_json_reader *r, char *dst)
{
	if (!r->escaped) {
		memcpy(dst, r->raw, r->raw_size);
		return r->raw_size;
	}
	size_t n = 0;
	for (size_t i = 0; i < r->raw_size;) {
		size_t written = 1;
		if (r->raw[i] == '\\')
			i += unescape_one(r->raw + i, dst + n, &written);
		else
			dst[n] = r->raw[i++];
		n += written;
	}
	return n;
}

bool
phi_json_u64(const struct phi_json_reader *r, uint64_t *out)
{
	uint64_t v = 0;
	if (r->token != PHI_JSON_INTEGER || r->raw[0] == '-')
		return false;
	for (size_t i = 0; i < r->raw_size; i++) {
		const uint64_t digit = (uint64_t)(r->raw[i] - '0');
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, digit, &v))
			return false;
	}
	*out = v;
	return true;
}
