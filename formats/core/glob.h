/* Globs over tensor names: `*` is any run of characters, dots included, `?` is one character,
 * `[abc]`, `[a-z]`, `[!a]` are sets, a backslash quotes; everything else is itself, in any case of
 * letters as written. Matching is linear in the text times the number of stars. */
#ifndef PHI_CORE_GLOB_H
#define PHI_CORE_GLOB_H

#include <stdbool.h>

bool phi_glob_match(const char *pattern, const char *text);

#endif
