/* jansson's parser where memory may run out. Its lexer does not look whether the buffer of a token could
 * grow: it drops the character and goes on, with another name or into an assertion (2.14). So a parse has a
 * reserve that serves what the allocator cannot: the parse is lost from there on and its text ends, but it
 * unwinds as jansson's authors meant it to. */
#ifndef PHI_CORE_JSON_LOAD_H
#define PHI_CORE_JSON_LOAD_H

#include "formats/core/error.h"

#include <jansson.h>
#include <stddef.h>

/* As json_loadb. `token`: bytes of the longest string or number in the text, or more. NULL with
 * error->text empty: out of memory. */
json_t *phi_json_load(const char *text, size_t size, size_t flags, size_t token,
	json_error_t *error);

#endif
