/* Text that came from a file, made safe for a terminal and for one line: control bytes, DEL, C1,
 * bidi marks and invalid UTF-8 become \xNN or \u{NNNN}; a backslash becomes \\. */
#ifndef PHI_CORE_ESCAPE_H
#define PHI_CORE_ESCAPE_H

#include <stddef.h>
#include <stdbool.h>

/* Writes the escaped text of s[0..n) to dst as a string of at most `size` bytes with its NUL; a
 * text that does not fit ends in "...". Returns dst. size is at least 8. */
const char *phi_escape(char *dst, size_t size, const char *s, size_t n);

/* Room for one escaped name in a message: struct phi_quoted q; phi_fail(err, ..., phi_quote(&q, s)). */
struct phi_quoted {
	char text[256];
};
const char *phi_quote(struct phi_quoted *q, const char *s);

/* Is s[0..n) valid UTF-8 (no surrogates, no overlong forms, at most U+10FFFF)? */
bool phi_utf8_valid(const char *s, size_t n);

#endif
