/* Escaping of text that came from a file.
 *
 *   \       \\
 *   00-1f 7f and bytes that are no UTF-8    \xNN
 *   80-9f (C1), bidi marks, line separators, other invisible format characters    \u{NNNN}
 */
#include "formats/core/escape.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Decodes the character at s[0..n), n > 0; returns its length, or 0 if the bytes are no UTF-8. */
static size_t
decode(const unsigned char *s, size_t n, uint32_t *c)
{
	if (s[0] < 0x80) {
		*c = s[0];
		return 1;
	}
	const size_t length = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4 || n < length)
		return 0;
	uint32_t v = s[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (s[i] & 0x3fu);
	}
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	if (v < least[length] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
		return 0;
	*c = v;
	return length;
}

/* Characters that change how the text around them looks, or end the line. */
static bool
hidden(uint32_t c)
{
	return (c >= 0x80 && c < 0xa0) || c == 0xad || c == 0x61c || c == 0x180e ||
	       (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
	       (c >= 0xe0000 && c <= 0xe007f);
}

/* The escaped form of the character at s; returns how many bytes of s it stands for. */
static size_t
step(const unsigned char *s, size_t n, char out[16], size_t *out_size)
{
	uint32_t c;
	const size_t length = decode(s, n, &c);
	if (!length || c < 0x20 || c == 0x7f) {
		*out_size = (size_t)snprintf(out, 16, "\\x%02x", s[0]);
		return 1;
	}
	if (c == '\\') {
		*out_size = (size_t)snprintf(out, 16, "\\\\");
	} else if (hidden(c)) {
		*out_size = (size_t)snprintf(out, 16, "\\u{%04x}", (unsigned)c);
	} else {
		memcpy(out, s, length);
		*out_size = length;
	}
	return length;
}

const char *
phi_escape(char *dst, size_t size, const char *s, size_t n)
{
	const unsigned char *const bytes = (const unsigned char *)s;
	size_t used = 0;
	size_t mark = 0; /* the last place after which "..." and the NUL still fit */
	for (size_t i = 0; i < n;) {
		char out[16];
		size_t out_size;
		i += step(bytes + i, n - i, out, &out_size);
		if (out_size > size - 1 - used) {
			memcpy(dst + mark, "...", 4);
			return dst;
		}
		memcpy(dst + used, out, out_size);
		used += out_size;
		if (used + 4 <= size)
			mark = used;
	}
	dst[used] = '\0';
	return dst;
}

const char *
phi_quote(struct phi_quoted *q, const char *s)
{
	return phi_escape(q->text, sizeof q->text, s, strlen(s));
}

bool
phi_utf8_valid(const char *s, size_t n)
{
	const unsigned char *const bytes = (const unsigned char *)s;
	for (size_t i = 0; i < n;) {
		uint32_t c;
		const size_t length = decode(bytes + i, n - i, &c);
		if (!length)
			return false;
		i += length;
	}
	return true;
}
