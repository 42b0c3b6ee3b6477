#include "formats/gguf/model_name.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What a part may be; a part may be several. */
enum {
	BASENAME = 1,
	SIZE = 2,
	FINETUNE = 4,
	VERSION = 8,
	TYPE = 16, /* of quantization: goes nowhere */
};

struct part {
	char *text;
	unsigned is;
};

static bool
digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static char
upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static const char *
digits(const char *s)
{
	while (digit(*s))
		s++;
	return s;
}

/* (v|iter)?\d+([.]\d+)* */
static bool
is_version(const char *s)
{
	if (lower(*s) == 'v')
		s++;
	else if (!strncasecmp(s, "iter", 4))
		s += 4;
	if (!digit(*s))
		return false;
	s = digits(s);
	while (*s == '.' && digit(s[1]))
		s = digits(s + 1);
	return !*s;
}

/* i?q\d(_\w)*|b?fp?(16|32) */
static bool
is_type(const char *s)
{
	const char *q = lower(*s) == 'i' ? s + 1 : s;
	if (lower(*q) == 'q' && digit(q[1])) {
		for (q += 2; *q == '_' && (letter(q[1]) || digit(q[1]) || q[1] == '_'); q += 2)
			;
		if (!*q)
			return true;
	}
	if (lower(*s) == 'b')
		s++;
	if (lower(*s) != 'f')
		return false;
	s++;
	if (lower(*s) == 'p')
		s++;
	return !strcmp(s, "16") || !strcmp(s, "32");
}

/* (A|\d+x)? before a size: as far as it goes, for the caller tries with and without. */
static const char *
after_factor(const char *s)
{
	if (lower(*s) == 'a')
		return s + 1;
	const char *const d = digits(s);
	return d > s && lower(*d) == 'x' ? d + 1 : s;
}

/* \d+([._]\d+)?[KMBT]\d? */
static bool
is_number_size(const char *s)
{
	if (!digit(*s))
		return false;
	s = digits(s);
	if ((*s == '.' || *s == '_') && digit(s[1]))
		s = digits(s + 1);
	if (!*s || !strchr("kmbt", lower(*s)))
		return false;
	s++;
	return !*s || (digit(*s) && !s[1]);
}

static bool
is_size(const char *s)
{
	static const char *const words[] = { "small", "mini", "medium", "large", "xl", "xxl" };
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (!strcasecmp(s, words[i]))
			return true;
	return is_number_size(after_factor(s));
}

static bool
is_finetune(const char *s)
{
	return !strcasecmp(s, "chat") || !strcasecmp(s, "instruct") || !strcasecmp(s, "vision") ||
		!strcasecmp(s, "lora");
}

/* The number of elements a size stands for, or -1 if it is a word or has a factor. */
static double
elements_of(const char *text)
{
	const size_t n = strlen(text);
	char number[64], *end;
	if (n < 2 || n > sizeof number)
		return -1;
	memcpy(number, text, n - 1);
	number[n - 1] = '\0';
	if (!digit(*number) || strspn(number, "0123456789.") != n - 1)
		return -1;
	const double v = strtod(number, &end);
	const char *const scale = strchr("KMBT", text[n - 1]);
	return *end || !scale ? -1 : v * pow(1000, (double)(scale - "KMBT" + 1));
}

/* A size far from the model's own is a length of context: "4k" of a model of 3.8 billion. */
static bool
far_off(double label, uint64_t elements)
{
	return label >= 0 && elements && fabs(label - (double)elements) > (double)(7 * elements / 8);
}

/* Rewrites a size in place: "7b1" is 7.1B, "4_5b" is 4.5B. There is room for one more character. */
static unsigned
settle_size(char *text, uint64_t elements)
{
	size_t n = strlen(text);
	for (char *p = text; *p; p++)
		if (*p == '_')
			*p = '.';
	if (digit(text[n - 1])) {
		const char unit = text[n - 2], last = text[n - 1];
		text[n - 2] = '.';
		text[n - 1] = last;
		text[n++] = unit;
		text[n] = '\0';
	}
	if (n > 1 && digit(text[n - 2]) && strchr("kmbt", text[n - 1]))
		text[n - 1] = upper(text[n - 1]);
	if (!far_off(elements_of(text), elements))
		return SIZE;
	text[n - 1] = lower(text[n - 1]);
	return FINETUNE;
}

static void
annotate(struct part *part, size_t index, uint64_t elements)
{
	char *const text = part->text;
	if (is_version(text)) {
		part->is = VERSION;
	} else if (is_type(text)) {
		part->is = TYPE;
		for (char *p = text; *p; p++)
			*p = upper(*p);
	} else if (index && is_size(text)) {
		part->is = settle_size(text, elements);
	} else if (index && is_finetune(text)) {
		part->is = FINETUNE;
	}
}

static bool
has_digit(const char *s)
{
	return strpbrk(s, "0123456789") != NULL;
}

static bool
all_letters(const char *s)
{
	while (*s && letter(*s))
		s++;
	return !*s;
}

/* Words such as "mini" are no sizes where there is a number. */
static void
drop_words(struct part *parts, size_t n)
{
	bool numbered = false;
	for (size_t i = 0; i < n; i++)
		numbered = numbered || ((parts[i].is & SIZE) && has_digit(parts[i].text));
	for (size_t i = 0; numbered && i < n; i++)
		if ((parts[i].is & SIZE) && all_letters(parts[i].text))
			parts[i].is &= ~(unsigned)SIZE;
}

/* The basename is what comes first, words and versions, without the versions at its end; what is
 * nothing else further on is a finetune. */
static void
find_basename(struct part *parts, size_t n)
{
	bool at_start = true;
	for (size_t i = 0; i < n; i++) {
		if (at_start && ((!parts[i].is && letter(*parts[i].text)) || (parts[i].is & VERSION))) {
			parts[i].is |= BASENAME;
			continue;
		}
		at_start = false;
		if (!parts[i].is)
			parts[i].is = FINETUNE;
	}
	for (size_t i = n; i-- > 0 && (parts[i].is & BASENAME) && parts[i].is != BASENAME;)
		parts[i].is &= ~(unsigned)BASENAME;
}

static bool
repeated(const struct part *parts, size_t index, unsigned what)
{
	for (size_t i = 0; i < index; i++)
		if ((parts[i].is & what) && !strcmp(parts[i].text, parts[index].text))
			return true;
	return false;
}

/* Joins with hyphens the parts that are `what` and not `unless`; NULL if there is none (*out). */
static int
join(const struct part *parts, size_t n, unsigned what, unsigned unless, struct phi_arena *arena,
	const char **out, struct phi_err *err)
{
	*out = NULL;
	for (size_t i = 0; i < n; i++) {
		if (!(parts[i].is & what) || (parts[i].is & unless) ||
			(what == SIZE && repeated(parts, i, SIZE)))
			continue;
		*out = *out ? phi_arena_printf(arena, err, "%s-%s", *out, parts[i].text)
			    : parts[i].text;
		if (!*out)
			return -1;
	}
	return 0;
}

static bool
blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f);
}

/* v\d+(\.\d+)*, or anything that starts with a digit: its letters stay as they are. */
static bool
keeps_case(const char *s, size_t n)
{
	bool low = false;
	for (size_t i = 0; i < n; i++) {
		if (s[i] >= 'A' && s[i] <= 'Z')
			return true;
		low = low || (s[i] >= 'a' && s[i] <= 'z');
	}
	if (!low || digit(*s))
		return true;
	size_t i = 1;
	if (*s != 'v' || n < 2 || !digit(s[1]))
		return false;
	while (i < n && (digit(s[i]) || (s[i] == '.' && i + 1 < n && digit(s[i + 1]))))
		i++;
	return i == n;
}

/* "phi-4-mini" -> "Phi 4 Mini". A letter is a capital where no letter stands before it. */
static const char *
title(const char *id, struct phi_arena *arena, struct phi_err *err)
{
	char *const out = phi_arena_strdup(arena, id, err);
	size_t n = 0;
	for (const char *s = id; out && *s;) {
		size_t word = 0;
		while (s[word] && !blank(s[word]) && s[word] != '-')
			word++;
		if (word && n)
			out[n++] = ' ';
		const bool keep = keeps_case(s, word);
		for (size_t i = 0; i < word; i++) {
			const bool inner = i && letter(s[i - 1]);
			out[n++] = keep || inner ? s[i] : upper(s[i]);
		}
		s += word + (s[word] != '\0');
	}
	if (out)
		out[n] = '\0';
	return out;
}

/* Splits at hyphens, leaving empty parts out. -1: too many. */
static long
split(const char *name, struct part *parts, struct phi_arena *arena, struct phi_err *err)
{
	long n = 0;
	while (*name) {
		const size_t size = strcspn(name, "-");
		if (size) {
			if (n == PHI_MODEL_NAME_PARTS)
				return -1;
			/* One byte more than the text: "7b1" becomes "7.1B". */
			char *const text = phi_arena_calloc(arena, size + 2, 1, err);
			if (!text)
				return -2;
			memcpy(text, name, size);
			parts[n++] = (struct part){ .text = text };
		}
		name += size + (name[size] != '\0');
	}
	return n;
}

static int
parse_parts(const char *name, uint64_t elements, struct phi_arena *arena,
	struct phi_model_name *out, struct phi_err *err)
{
	struct part parts[PHI_MODEL_NAME_PARTS];
	const long count = split(name, parts, arena, err);
	if (count < 0)
		return count == -1 ? 0 : -1;
	const size_t n = (size_t)count;
	for (size_t i = 0; i < n; i++)
		annotate(&parts[i], i, elements);
	drop_words(parts, n);
	find_basename(parts, n);
	if (join(parts, n, BASENAME, 0, arena, &out->basename, err) < 0 ||
		join(parts, n, SIZE, 0, arena, &out->size_label, err) < 0 ||
		join(parts, n, FINETUNE, 0, arena, &out->finetune, err) < 0 ||
		join(parts, n, VERSION, BASENAME, arena, &out->version, err) < 0)
		return -1;
	/* A single word says nothing about itself. */
	if (!out->size_label && !out->finetune && !out->version)
		out->basename = NULL;
	return 0;
}

int
phi_model_name_parse(const char *id, uint64_t elements, struct phi_arena *arena,
	struct phi_model_name *out, struct phi_err *err)
{
	*out = (struct phi_model_name){ 0 };
	const char *name = id;
	const char *const slash = strchr(id, '/');
	/* With a space it is a title already. */
	if (strchr(id, ' ')) {
		out->name = title(id, arena, err);
		return out->name ? 0 : -1;
	}
	if (slash) {
		name = slash + 1;
		if (*id != '.') {
			const char *const first = phi_arena_copy(arena, id, (size_t)(slash - id), err);
			out->organization = first ? title(first, arena, err) : NULL;
			if (!out->organization)
				return -1;
		}
	}
	out->name = title(name, arena, err);
	return out->name ? parse_parts(name, elements, arena, out, err) : -1;
}

const char *
phi_model_name_size(uint64_t elements, struct phi_arena *arena, struct phi_err *err)
{
	static const struct {
		double above, scale;
		char unit;
	} units[] = { { 1e12, 1e-12, 'T' }, { 1e9, 1e-9, 'B' }, { 1e6, 1e-6, 'M' }, { -1, 1e-3, 'K' } };
	size_t u = 0;
	while ((double)elements <= units[u].above)
		u++;
	const double scaled = (double)elements * units[u].scale;
	/* Half to even, as Python's round() and the default rounding mode; no digit for a zero. */
	const double whole = nearbyint(scaled);
	const int have = whole >= 10 ? 2 : whole >= 1 ? 1 : 0;
	return phi_arena_printf(arena, err, "%.*f%c", 2 - have, scaled, units[u].unit);
}
