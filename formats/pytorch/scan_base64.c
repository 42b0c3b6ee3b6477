/* Strings of pickles that spell a pickle, or what is deflated, in base64. No loader decodes them by itself;
 * code that comes with a model may.
 *
 *     80 0P ..   gA[A-X]..   a pickle of protocol P, 0 to 5
 *     78 xx ..   eA eF eJ eN zlib
 *     1F 8B 08   H4s         gzip */
#include "formats/pytorch/scan.h"

#include "formats/core/memory.h"

#include <string.h>

enum { LEAST = 16 }; /* characters of what may do anything */

bool
phi_scan_is_base64(const uint8_t *p, size_t n)
{
	if (n < LEAST)
		return false;
	return (p[0] == 'g' && p[1] == 'A' && p[2] >= 'A' && p[2] <= 'X') ||
		(p[0] == 'e' && memchr("AFJN", p[1], 4)) || !memcmp(p, "H4s", 3);
}

/* The six bits of a character, of both alphabets; -1: none. */
static int
bits_of(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

/* In place: what n characters stand for, up to the padding; lines may be broken. Returns how many bytes, 0 if
 * anything else is among them. */
static size_t
decode(uint8_t *p, size_t n)
{
	uint32_t bits = 0;
	unsigned count = 0;
	size_t to = 0;
	for (size_t i = 0; i < n && p[i] != '='; i++) {
		const int six = bits_of(p[i]);
		if (p[i] == '\n' || p[i] == '\r')
			continue;
		if (six < 0)
			return 0;
		bits = bits << 6 | (uint32_t)six;
		count += 6;
		if (count >= 8) {
			count -= 8;
			p[to++] = (uint8_t)(bits >> count);
		}
	}
	return to;
}

int
phi_scan_base64(struct phi_scan *s, const struct phi_scan_input *in, struct phi_err *err)
{
	if (in->size > PHI_SCAN_LITERAL_MAX)
		return phi_scan_emit(s, in, PHI_RULE_LIMIT, 0, err,
			"a string longer than %d bytes", PHI_SCAN_LITERAL_MAX);
	uint8_t *const bytes = phi_alloc((size_t)in->size, err);
	int result = bytes ? phi_scan_read(in, 0, bytes, (size_t)in->size, err) : -1;
	const size_t n = result ? 0 : decode(bytes, (size_t)in->size);
	if (n) {
		const struct phi_scan_input inner = { .memory = bytes, .size = n, .entry = in->entry,
			.origin = in->origin, .frozen = true, .literal = true, .depth = in->depth + 1 };
		result = phi_scan_content(s, &inner, err);
	}
	phi_free(bytes);
	return result;
}
