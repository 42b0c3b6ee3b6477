#include "formats/tokenizer/merges.h"

#include "formats/core/escape.h"
#include "formats/core/memory.h"

#include <inttypes.h>
#include <string.h>

struct scoring {
	const struct phi_tokenizer_json *file;
	struct phi_vocabulary *v;
	uint8_t *scored;      /* by id */
	uint32_t next, last;  /* how many have a score; the id of the last one */
	uint64_t merges;      /* that make normal tokens */
};

static bool
normal(const struct scoring *s, uint32_t id)
{
	return id < s->v->ntokens && s->v->kinds[id] == PHI_TOKEN_NORMAL;
}

static void
score(struct scoring *s, uint32_t id)
{
	s->v->scores[id] = -(float)s->next++;
	s->scored[id] = 1;
	s->last = id;
}

/* "a b": the token ab. */
static int
read_merge(struct scoring *s, uint32_t i, struct phi_err *err)
{
	const struct phi_string m = s->file->merges[i];
	const char *const space = memchr(m.data, ' ', m.size);
	char text[PHI_MERGED_TOKEN_MAX];
	struct phi_quoted q;
	if (!space || memchr(space + 1, ' ', m.size - (size_t)(space + 1 - m.data)))
		return phi_fail(err, PHI_FORMAT, "merge %" PRIu32 " is no pair", i);
	if (m.size - 1 > sizeof text)
		return phi_fail(err, PHI_LIMIT, "merge %" PRIu32 " makes a token of %zu bytes, at most %d",
			i, m.size - 1, PHI_MERGED_TOKEN_MAX);
	const size_t left = (size_t)(space - m.data);
	memcpy(text, m.data, left);
	memcpy(text + left, space + 1, m.size - left - 1);
	const uint32_t id = phi_names_find(s->file->ids, text, m.size - 1);
	if (id == PHI_NONE)
		return phi_fail(err, PHI_FORMAT, "merge %" PRIu32 " (%s) makes no token", i,
			phi_quote(&q, m.data));
	if (!normal(s, id))
		return 0;
	s->merges++;
	if (id == s->last)
		return 0;
	if (s->scored[id])
		return phi_fail(err, PHI_UNSUPPORTED, "the merges that make %s do not stand together, "
			"which scores cannot say", phi_quote(&q, s->v->tokens[id].data));
	score(s, id);
	return 0;
}

/* In how many ways a token is two others. Cuts within a character are none. */
static uint32_t
count_ways(const struct scoring *s, struct phi_string text)
{
	uint32_t n = 0;
	for (size_t i = 1; i < text.size; i++)
		n += ((unsigned char)text.data[i] & 0xc0) != 0x80 &&
			phi_names_find(s->file->ids, text.data, i) != PHI_NONE &&
			phi_names_find(s->file->ids, text.data + i, text.size - i) != PHI_NONE;
	return n;
}

static int
score_rest(struct scoring *s, struct phi_err *err)
{
	uint64_t ways = 0;
	for (uint32_t i = 0; i < s->v->ntokens; i++) {
		struct phi_quoted q;
		const struct phi_string text = s->v->tokens[i];
		if (!normal(s, i))
			continue;
		if (text.size > PHI_MERGED_TOKEN_MAX)
			return phi_fail(err, PHI_LIMIT, "token %s has %zu bytes, at most %d",
				phi_quote(&q, text.data), text.size, PHI_MERGED_TOKEN_MAX);
		ways += count_ways(s, text);
		if (!s->scored[i])
			score(s, i);
	}
	if (ways != s->merges)
		return phi_fail(err, PHI_UNSUPPORTED, "%" PRIu64 " merges where tokens can be put together "
			"in %" PRIu64 " ways, which scores cannot say; tokenizer.model is missing",
			s->merges, ways);
	return 0;
}

int
phi_merges_score(const struct phi_tokenizer_json *file, struct phi_vocabulary *v, struct phi_err *err)
{
	struct scoring s = { .file = file, .v = v, .last = PHI_NONE };
	s.scored = phi_calloc(v->ntokens ? v->ntokens : 1, 1, err);
	int result = s.scored ? 0 : -1;
	for (uint32_t i = 0; result == 0 && i < file->nmerges; i++)
		result = read_merge(&s, i, err);
	if (result == 0)
		result = score_rest(&s, err);
	phi_free(s.scored);
	return result;
}
