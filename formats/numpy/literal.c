#include "formats/numpy/literal.h"

#include <string.h>

static int parse_value(struct phi_literal_text *, struct phi_literal *, int, struct phi_err *);

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool
phi_literal_take(struct phi_literal_text *text, char c)
{
	while (text->at < text->end && memchr(" \t\n\r\f", *text->at, 5))
		text->at++;
	if (text->at == text->end || *text->at != c)
		return false;
	text->at++;
	return true;
}

bool
phi_literal_is(const struct phi_literal *literal, const char *string)
{
	return literal->kind == PHI_LITERAL_STRING && literal->size == strlen(string) &&
	       !memcmp(literal->text, string, literal->size);
}

/* A backslash keeps the quote behind it from ending the string; such strings are nothing we look
 * for. */
static int
parse_string(struct phi_literal_text *text, struct phi_literal *out, struct phi_err *err)
{
	const char quote = *text->at++;
	out->kind = PHI_LITERAL_STRING;
	out->text = text->at;
	for (; text->at < text->end && *text->at != quote; text->at++) {
		if (*text->at == '\n')
			break;
		if (*text->at == '\\' && text->at + 1 < text->end)
			text->at++;
	}
	if (text->at == text->end || *text->at != quote)
		return phi_fail(err, PHI_FORMAT, "a string does not end");
	out->size = (size_t)(text->at++ - out->text);
	return 0;
}

/* Python 2 wrote an L behind long integers. */
static int
parse_integer(struct phi_literal_text *text, struct phi_literal *out, struct phi_err *err)
{
	const char *const start = text->at;
	out->kind = PHI_LITERAL_INTEGER;
	for (; text->at < text->end && is_digit(*text->at); text->at++)
		if (__builtin_mul_overflow(out->number, 10, &out->number) ||
			__builtin_add_overflow(
				out->number, (uint64_t)(*text->at - '0'), &out->number))
			return phi_fail(err, PHI_FORMAT, "a number does not fit into 64 bits");
	if (text->at == start)
		return phi_fail(err, PHI_FORMAT, "a sign without a number");
	if (*start == '0' && out->number)
		return phi_fail(err, PHI_FORMAT, "a number that begins with 0");
	if (text->at < text->end && (*text->at == 'L' || *text->at == 'l'))
		text->at++;
	if (text->at < text->end && (is_letter(*text->at) || *text->at == '.' || *text->at == '_'))
		return phi_fail(err, PHI_FORMAT, "a number that is no plain integer");
	return 0;
}

static int
parse_word(struct phi_literal_text *text, struct phi_literal *out, struct phi_err *err)
{
	static const struct {
		const char *word;
		enum phi_literal_kind kind;
		bool truth;
	} words[] = { { "True", PHI_LITERAL_BOOL, true }, { "False", PHI_LITERAL_BOOL, false },
		{ "None", PHI_LITERAL_NONE, false } };
	const char *const start = text->at;
	while (text->at < text->end && (is_letter(*text->at) || is_digit(*text->at)))
		text->at++;
	const size_t n = (size_t)(text->at - start);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (n == strlen(words[i].word) && !memcmp(start, words[i].word, n)) {
			out->kind = words[i].kind;
			out->truth = words[i].truth;
			return 0;
		}
	return phi_fail(err, PHI_FORMAT, "a word that is none of True, False, None");
}

static void
add_item(struct phi_literal *list, const struct phi_literal *item)
{
	if (item->kind != PHI_LITERAL_INTEGER || item->negative)
		list->integers = false;
	else if (list->count < PHI_RANK_MAX)
		list->items[list->count] = item->number;
	list->count++;
}

/* One value in round brackets without a comma is that value. */
static int
parse_items(struct phi_literal_text *text, char close, struct phi_literal *out, int depth,
	struct phi_err *err)
{
	struct phi_literal item;
	bool comma = true;
	*out = (struct phi_literal){ .kind = close == ')' ? PHI_LITERAL_TUPLE : PHI_LITERAL_LIST,
		.integers = true };
	while (!phi_literal_take(text, close)) {
		if (!comma)
			return phi_fail(err, PHI_FORMAT, "a comma or '%c' is missing", close);
		if (parse_value(text, &item, depth, err))
			return -1;
		add_item(out, &item);
		comma = phi_literal_take(text, ',');
	}
	if (close == ')' && out->count == 1 && !comma)
		*out = item;
	return 0;
}

static int
parse_value(struct phi_literal_text *text, struct phi_literal *out, int depth, struct phi_err *err)
{
	*out = (struct phi_literal){ .kind = PHI_LITERAL_NONE };
	if (depth == PHI_LITERAL_DEPTH_MAX)
		return phi_fail(
			err, PHI_LIMIT, "brackets nested more than %d deep", PHI_LITERAL_DEPTH_MAX);
	if (phi_literal_take(text, '('))
		return parse_items(text, ')', out, depth + 1, err);
	if (phi_literal_take(text, '['))
		return parse_items(text, ']', out, depth + 1, err);
	if (text->at == text->end)
		return phi_fail(err, PHI_FORMAT, "a value is missing at the end");
	if ((*text->at == 'u' || *text->at == 'U') && text->at + 1 < text->end &&
		(text->at[1] == '\'' || text->at[1] == '"'))
		text->at++;
	const char c = *text->at;
	if (c == '\'' || c == '"')
		return parse_string(text, out, err);
	if (c == '-' || c == '+') {
		text->at++;
		out->negative = c == '-';
	}
	if (c == '-' || c == '+' || is_digit(c))
		return parse_integer(text, out, err);
	return parse_word(text, out, err);
}

int
phi_literal_parse(struct phi_literal_text *text, struct phi_literal *out, struct phi_err *err)
{
	return parse_value(text, out, 0, err);
}
