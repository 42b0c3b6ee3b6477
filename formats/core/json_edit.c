#include "formats/core/json_edit.h"

#include <string.h>

/* Where the member or value that begins at i ends: at the comma behind it or the closing bracket. */
static size_t
end_of(const char *s, size_t n, size_t i)
{
	int depth = 0;
	for (bool text = false; i < n; i++) {
		if (text) {
			if (s[i] == '\\')
				i++;
			else if (s[i] == '"')
				text = false;
		} else if (s[i] == '"') {
			text = true;
		} else if (s[i] == '{' || s[i] == '[') {
			depth++;
		} else if (s[i] == '}' || s[i] == ']') {
			if (depth-- == 0)
				return i;
		} else if (s[i] == ',' && depth == 0) {
			return i;
		}
	}
	return n;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool
phi_json_find(const char *text, size_t size, const char *name, struct phi_json_place *place)
{
	const size_t m = strlen(name);
	size_t at = 0;
	while (at < size && text[at] != '{')
		at++;
	while (at < size && text[at] != '}') {
		at++; /* over the bracket or the comma */
		while (at < size && is_space(text[at]))
			at++;
		const size_t end = end_of(text, size, at);
		if (at + m + 2 <= end && text[at] == '"' && !strncmp(text + at + 1, name, m) &&
			text[at + 1 + m] == '"') {
			*place = (struct phi_json_place){ .name = at, .value = at + m + 2, .end = end };
			while (is_space(text[place->end - 1]))
				place->end--;
			while (place->value < place->end &&
				(is_space(text[place->value]) || text[place->value] == ':'))
				place->value++;
			return true;
		}
		at = end;
	}
	return false;
}

size_t
phi_json_cut(char *text, size_t size, const char *name)
{
	struct phi_json_place p;
	if (!phi_json_find(text, size, name, &p))
		return size;
	size_t from = p.name, to = end_of(text, size, p.end);
	while (is_space(text[from - 1]))
		from--;
	if (text[from - 1] == ',') {
		from--;
		to = p.end;
	} else if (text[to] == ',') {
		to++;
	} else {
		to = p.end;
	}
	memmove(text + from, text + to, size - to);
	return size - (to - from);
}
