/* Globs. On a mismatch only the last star has to be tried again one character further: what an
 * earlier star took needs no second look. So the time is at most text times pattern, never more. */
#include "formats/core/glob.h"

#include <stddef.h>

/* Matches the set at p (after '[') against c; *end is set to the place after ']'. A bracket without an
 * end is an ordinary character: *end is then NULL. */
static bool
match_set(const char *p, unsigned char c, const char **end)
{
	const bool negated = *p == '!' || *p == '^';
	bool hit = false;
	p += negated;
	for (bool first = true; first || *p != ']'; first = false) {
		if (*p == '\\' && p[1])
			p++;
		if (!*p) {
			*end = NULL;
			return false;
		}
		const unsigned char low = (unsigned char)*p++;
		unsigned char high = low;
		if (p[0] == '-' && p[1] && p[1] != ']') {
			p++;
			if (*p == '\\' && p[1])
				p++;
			high = (unsigned char)*p++;
		}
		hit |= low <= c && c <= high;
	}
	*end = p + 1;
	return hit != negated;
}

/* Does the one character c match what stands at p (no star, not the end)? *next is the place after it. */
static bool
match_one(const char *p, char c, const char **next)
{
	if (*p == '?') {
		*next = p + 1;
		return true;
	}
	if (*p == '[') {
		const bool hit = match_set(p + 1, (unsigned char)c, next);
		if (*next)
			return hit;
	}
	if (*p == '\\' && p[1])
		p++;
	*next = p + 1;
	return *p == c;
}

bool
phi_glob_match(const char *pattern, const char *text)
{
	const char *star = NULL; /* after the last star seen */
	const char *retry = NULL; /* where in the text it is tried next */
	for (;;) {
		const char *next;
		if (*pattern == '*') {
			star = ++pattern;
			retry = text;
		} else if (!*pattern && !*text) {
			return true;
		} else if (*pattern && *text && match_one(pattern, *text, &next)) {
			pattern = next;
			text++;
		} else if (star && *retry) {
			pattern = star;
			text = ++retry;
		} else {
			return false;
		}
	}
}
