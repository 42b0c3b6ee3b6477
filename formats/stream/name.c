/* Names as text: most stand as they are; those that JSON, a line of model.xxh3 or safetensors' readers
 * could not hold become "hex:" and two digits a byte. */
#include "formats/stream/stream.h"

#include "formats/core/escape.h"

#include <string.h>

static const char prefix[] = "hex:";
enum { PREFIX = sizeof prefix - 1 };

static bool
plain(const char *name)
{
	for (const unsigned char *p = (const unsigned char *)name; *p; p++)
		if (*p < ' ' || *p == 0x7f || *p == '\\')
			return false;
	return phi_utf8_valid(name, strlen(name)) && strcmp(name, "__metadata__") != 0 &&
	       strncmp(name, prefix, PREFIX) != 0;
}

const char *
phi_stream_name(const char *name, struct phi_arena *arena, struct phi_err *err)
{
	static const char digits[] = "0123456789abcdef";
	if (plain(name))
		return name;
	const size_t n = strlen(name);
	char *const hex = phi_arena_alloc(arena, PREFIX + 2 * n + 1, err);
	if (!hex)
		return NULL;
	memcpy(hex, prefix, PREFIX);
	for (size_t i = 0; i < n; i++) {
		const unsigned char c = (unsigned char)name[i];
		hex[PREFIX + 2 * i] = digits[c >> 4];
		hex[PREFIX + 2 * i + 1] = digits[c & 15];
	}
	hex[PREFIX + 2 * n] = '\0';
	return hex;
}

int
phi_stream_unhex(const char *hex, size_t digits, char *out)
{
	if (digits % 2)
		return -1;
	for (size_t i = 0; i < digits; i++) {
		const char c = hex[i];
		const int v = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
		if (v < 0)
			return -1;
		out[i / 2] = (char)(i % 2 ? (unsigned char)out[i / 2] << 4 | v : v);
	}
	return 0;
}

const char *
phi_stream_unname(const char *text, size_t size, struct phi_arena *arena, struct phi_err *err)
{
	const bool hex = size > PREFIX && !memcmp(text, prefix, PREFIX);
	char *const name = phi_arena_copy(arena, text, size, err);
	if (!name)
		return NULL;
	if (hex && !phi_stream_unhex(text + PREFIX, size - PREFIX, name))
		name[(size - PREFIX) / 2] = '\0';
	else if (hex)
		name[0] = '\0';
	if (name[0] && strlen(name) == (hex ? (size - PREFIX) / 2 : size))
		return name;
	phi_fail(err, PHI_FORMAT, "a name that is empty, no hexadecimal, or holds a NUL");
	return NULL;
}
