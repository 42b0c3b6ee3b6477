/* Edits of a JSON text that leave all else to the byte: config.json belongs to its author, and only what
 * stopped being true may change. The text must be valid JSON (phi_json_parse) and its outermost value an
 * object; else nothing is found. */
#ifndef PHI_CORE_JSON_EDIT_H
#define PHI_CORE_JSON_EDIT_H

#include <stdbool.h>
#include <stddef.h>

/* A member of the outermost object: from its quoted name to the end of its value, and the value. */
struct phi_json_place {
	size_t name, value, end;
};

/* Names are compared as they are spelt: one with escapes is not found. */
bool phi_json_find(const char *text, size_t size, const char *name, struct phi_json_place *place);

/* Cuts a member out: the first with the comma behind it, others with the one before. Returns the new
 * size. */
size_t phi_json_cut(char *text, size_t size, const char *name);

#endif
