/* Strings as protocol 0 spells them: \x41, \101, \u0041. */
#include "formats/pytorch/scan_machine.h"

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
	dst[0] = (char)(0xE0 | (c >> 12 & 0xF));
	dst[1] = (char)(0x80 | (c >> 6 & 0x3F));
	dst[2] = (char)(0x80 | (c & 0x3F));
	return 3;
}

/* Digits in a base, and how many of them there are. */
static size_t
digits(const char *s, size_t left, size_t most, unsigned base, uint32_t *out)
{
	size_t n = 0;
	*out = 0;
	for (; n < most && n < left; n++) {
		const char c = s[n];
		const unsigned d = c >= '0' && c <= '9'	  ? (unsigned)(c - '0')
				   : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
				   : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
							  : 99;
		if (d >= base)
			break;
		*out = *out * base + d;
	}
	return n;
}

size_t
phi_scan_unescape(char *s, size_t n, enum phi_scan_spelling spelling, bool utf8)
{
	size_t to = 0;
	for (size_t i = 0; i < n;) {
		uint32_t c = 0;
		const char next = i + 1 < n ? s[i + 1] : '\0';
		const bool unicode = spelling == PHI_SPELT_RAW_UNICODE;
		size_t used = 0;
		if (s[i] != '\\') {
			s[to++] = s[i++];
			continue;
		}
		if (unicode && (next == 'u' || next == 'U'))
			used = digits(s + i + 2, n - i - 2, next == 'u' ? 4 : 8, 16, &c);
		else if (!unicode && next == 'x')
			used = digits(s + i + 2, n - i - 2, 2, 16, &c);
		else if (!unicode && next >= '0' && next <= '7')
			used = digits(s + i + 1, n - i - 1, 3, 8, &c);
		if (used && !(next >= '0' && next <= '7'))
			used++;
		if (used && !utf8 && c > 255)
			return SIZE_MAX;
		if (used && !utf8) {
			s[to++] = (char)c;
			i += 1 + used;
		} else if (used) {
			to += put_utf8(s + to, c);
			i += 1 + used;
		} else {
			s[to++] = s[i++];
		}
	}
	return to;
}
