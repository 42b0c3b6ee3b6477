#include "formats/tokenizer/bytelevel.h"

#include <string.h>

int
phi_bytelevel_byte(uint32_t c)
{
	if ((c >= 33 && c <= 126) || (c >= 161 && c <= 172) || (c >= 174 && c <= 255))
		return (int)c;
	if (c < 256 || c >= 256 + 68)
		return -1;
	c -= 256;
	if (c < 33)
		return (int)c; /* 0 to 32 */
	if (c < 33 + 34)
		return (int)(127 + c - 33); /* 127 to 160 */
	return 173;
}

/* The next character of valid UTF-8. */
static uint32_t
next(const unsigned char **p)
{
	const unsigned char *const s = *p;
	if (s[0] < 0x80)
		return *p += 1, s[0];
	if (s[0] < 0xe0)
		return *p += 2, (uint32_t)(s[0] & 0x1f) << 6 | (s[1] & 0x3f);
	if (s[0] < 0xf0)
		return *p += 3, (uint32_t)(s[0] & 0x0f) << 12 | (uint32_t)(s[1] & 0x3f) << 6 |
			(s[2] & 0x3f);
	*p += 4;
	return (uint32_t)(s[0] & 0x07) << 18 | (uint32_t)(s[1] & 0x3f) << 12 |
		(uint32_t)(s[2] & 0x3f) << 6 | (s[3] & 0x3f);
}

/* The bytes of a token; -1 if a character is not of the alphabet. dst has room for the token. */
static long
fold(struct phi_string token, unsigned char *dst)
{
	const unsigned char *p = (const unsigned char *)token.data;
	const unsigned char *const end = p + token.size;
	long n = 0;
	while (p < end) {
		const int byte = phi_bytelevel_byte(next(&p));
		if (byte < 0)
			return -1;
		dst[n++] = (unsigned char)byte;
	}
	return n;
}

/* The range of the second byte of a sequence, by its first (Unicode, table 3-7); 0 if none begins. */
static size_t
lead(unsigned char c, unsigned char *low, unsigned char *high)
{
	*low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	*high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	return c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
}

/* Bytes of the sequence at s, at most n; *whole says whether it is a character. At least 1. */
static size_t
sequence(const unsigned char *s, size_t n, bool *whole)
{
	unsigned char low, high;
	const size_t want = lead(s[0], &low, &high);
	size_t have = 1;
	while (have < want && have < n && s[have] >= low && s[have] <= high) {
		have++;
		low = 0x80;
		high = 0xbf;
	}
	*whole = have == want;
	return have;
}

int
phi_bytelevel_decode(struct phi_string token, struct phi_arena *arena, struct phi_string *out,
	struct phi_err *err)
{
	*out = token;
	unsigned char *const bytes = phi_arena_alloc(arena, token.size + 1, err);
	if (!bytes)
		return -1;
	const long n = fold(token, bytes);
	if (n < 0)
		return 0;
	/* Each byte that is no UTF-8 takes three, and came from at least one. */
	char *const text = phi_arena_alloc(arena, 3 * (size_t)n + 1, err);
	if (!text)
		return -1;
	size_t size = 0;
	for (size_t i = 0; i < (size_t)n;) {
		bool whole;
		const size_t step = sequence(bytes + i, (size_t)n - i, &whole);
		memcpy(text + size, whole ? (const char *)bytes + i : "\xef\xbf\xbd", whole ? step : 3);
		size += whole ? step : 3;
		i += step;
	}
	text[size] = '\0';
	*out = (struct phi_string){ text, size };
	return 0;
}
