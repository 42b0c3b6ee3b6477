#include "inspect/vocabulary_size.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Where the skimming is: the depth, and the keys of the two outer levels. */
struct skim {
	const char *at, *end;
	unsigned depth;
	struct span {
		const char *s;
		size_t n;
	} key[3];	  /* [1]: of the top object, [2]: in that, both without quotes */
	uint64_t entries; /* of model.vocab */
	uint64_t beyond;  /* one more than the highest id of an added token */
	struct span kind;
};

static bool
is(struct span s, const char *word)
{
	return s.n == strlen(word) && !memcmp(s.s, word, s.n);
}

/* A string, from its first quote; what is between the quotes. */
static struct span
skip_string(struct skim *k)
{
	const char *const start = ++k->at;
	while (k->at < k->end && *k->at != '"')
		k->at += *k->at == '\\' ? 2 : 1;
	if (k->at > k->end)
		k->at = k->end;
	const struct span s = {start, (size_t)(k->at - start)};
	k->at += k->at < k->end;
	return s;
}

static bool
is_key(const struct skim *k)
{
	const char *p = k->at;
	while (p < k->end && strchr(" \t\r\n", *p))
		p++;
	return p < k->end && *p == ':';
}

static void
take_string(struct skim *k)
{
	const struct span s = skip_string(k);
	const bool key = is_key(k);
	if (key && k->depth >= 1 && k->depth <= 2)
		k->key[k->depth] = s;
	else if (key && k->depth == 3)
		k->key[0] = s; /* the last inner key: an added token's */
	else if (!key && k->depth == 2 && is(k->key[1], "model") && is(k->key[2], "type"))
		k->kind = s;
	if (key && k->depth == 3 && is(k->key[1], "model") && is(k->key[2], "vocab"))
		k->entries++;
}

static void
take_number(struct skim *k)
{
	char digits[24];
	size_t n = 0;
	while (k->at < k->end && n + 1 < sizeof digits && strchr("0123456789", *k->at))
		digits[n++] = *k->at++;
	digits[n] = '\0';
	if (k->depth != 3 || !is(k->key[1], "added_tokens") || !is(k->key[0], "id"))
		return;
	const uint64_t id = strtoull(digits, NULL, 10);
	if (id + 1 > k->beyond)
		k->beyond = id + 1;
}

static void
take_open(struct skim *k)
{
	/* The list form of a vocabulary has a list an entry. */
	if (k->depth == 3 && *k->at == '[' && is(k->key[1], "model") && is(k->key[2], "vocab"))
		k->entries++;
	k->depth++;
	k->at++;
}

void
phi_vocabulary_size_take(struct phi_vocabulary_size *size, const char *text, size_t n)
{
	struct skim k = {.at = text, .end = text + n,
		.key = {{"", 0}, {"", 0}, {"", 0}}, .kind = {"", 0}};
	while (k.at < k.end)
		switch (*k.at) {
		case '"':
			take_string(&k);
			break;
		case '{':
		case '[':
			take_open(&k);
			break;
		case '}':
		case ']':
			k.depth -= k.depth > 0;
			k.at++;
			break;
		default:
			if (*k.at >= '0' && *k.at <= '9')
				take_number(&k);
			else
				k.at++;
		}
	*size = (struct phi_vocabulary_size){.tokens = k.entries > k.beyond ? k.entries : k.beyond};
	if (k.kind.n < sizeof size->kind)
		memcpy(size->kind, k.kind.s, k.kind.n);
}
