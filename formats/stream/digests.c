/* The line picture is in digests.h. */
#include "formats/stream/digests.h"

#include "formats/core/buffer.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

enum { DIGITS = 32, GAP = 2 };

int
phi_digests_add(struct phi_digests *list, const char *name, XXH128_hash_t hash,
	struct phi_err *err)
{
	if (phi_grow(&list->items, &list->capacity, list->count, sizeof *list->items, err))
		return -1;
	list->items[list->count++] = (struct phi_digest){ .name = name, .hash = hash };
	return 0;
}

void
phi_digests_free(struct phi_digests *list)
{
	phi_free(list->items);
	*list = (struct phi_digests){ 0 };
}

size_t
phi_digest_line_size(const char *name)
{
	return DIGITS + GAP + strlen(name) + 1;
}

int
phi_digest_line(struct phi_buffer *out, const struct phi_digest *digest, struct phi_err *err)
{
	return phi_buffer_printf(out, err, "%016" PRIx64 "%016" PRIx64 "  %s\n",
		(uint64_t)digest->hash.high64, (uint64_t)digest->hash.low64, digest->name);
}

/* What to call it in a message: "tensor NAME" or "config.json". */
static int
fail_digest(const char *name, const char *why, struct phi_err *err)
{
	struct phi_quoted q;
	const char *const range = strchr(name, '#');
	if (!range)
		return phi_fail(err, PHI_FORMAT, "%s: %s", phi_quote(&q, name), why);
	if (!range[1])
		return phi_fail(err, PHI_FORMAT, "header of the weights: %s", why);
	return phi_fail(err, PHI_FORMAT, "tensor %s: %s", phi_quote(&q, range + 1), why);
}

static int
check_line(const struct phi_digest *digest, const char *line, size_t n, struct phi_err *err)
{
	struct phi_buffer own = { 0 };
	int status = phi_digest_line(&own, digest, err);
	if (!status && (n != own.size || memcmp(line, own.data, n))) {
		const bool named = n == own.size && !memcmp(line + DIGITS, own.data + DIGITS, n - DIGITS);
		status = fail_digest(digest->name,
			named ? "damaged: not the bytes that were written (digest)" :
				"has no digest where it should be", err);
	}
	phi_buffer_free(&own);
	return status;
}

int
phi_digests_check(const struct phi_digests *list, const char *text, size_t size,
	struct phi_err *err)
{
	size_t at = 0;
	for (size_t i = 0; i < list->count; i++) {
		const char *const end = memchr(text + at, '\n', size - at);
		if (!end)
			return fail_digest(list->items[i].name, "its digest is missing", err);
		const size_t n = (size_t)(end - text) + 1 - at;
		if (check_line(&list->items[i], text + at, n, err))
			return -1;
		at += n;
	}
	if (at != size)
		return phi_fail(err, PHI_FORMAT, "%zu bytes follow the last digest", size - at);
	return 0;
}
