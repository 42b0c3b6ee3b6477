/* Strings in the scanning machine (scan_machine.h): what one holds may be a pickle again. */
#include "formats/pytorch/scan_machine.h"

#include "formats/core/memory.h"

#include <string.h>

enum { LITERAL_LEAST = 8 }; /* bytes of a string that may hold a pickle that does anything */

/* Is there anything in it that would make a pickle of it do something? */
static bool
may_load(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] == '\n' || p[i] == 0x93 || (p[i] >= 0x82 && p[i] <= 0x84) ||
			(p[i] == 'P' && i + 1 < n && p[i + 1] == 'K') || p[i] == 0x1F ||
			p[i] == 0x78)
			return true;
	return false;
}

/* The characters of a string stand for bytes where all are below 256 (Latin-1): returns how many.
 */
static size_t
to_latin1(uint8_t *p, size_t n)
{
	size_t to = 0;
	for (size_t i = 0; i < n; i++) {
		if (p[i] < 0x80) {
			p[to++] = p[i];
		} else if ((p[i] == 0xC2 || p[i] == 0xC3) && i + 1 < n &&
			   (p[i + 1] & 0xC0) == 0x80) {
			p[to++] = (uint8_t)(p[i] << 6 | (p[i + 1] & 0x3F));
			i++;
		} else {
			return SIZE_MAX;
		}
	}
	return to;
}

/* Puts what the string stands for in place of how it is spelt: by escapes, or as UTF-8 for Latin-1.
 * SIZE_MAX: the same bytes, or none at all. */
static size_t
decode(uint8_t *bytes, size_t n, enum phi_scan_spelling spelling)
{
	if (spelling != PHI_SPELT_AS_IS)
		return memchr(bytes, '\\', n) ? phi_scan_unescape((char *)bytes, n, spelling, false)
					      : SIZE_MAX;
	return memchr(bytes, 0xC2, n) || memchr(bytes, 0xC3, n) ? to_latin1(bytes, n) : SIZE_MAX;
}

static int
decoded_literal(struct phi_machine *m, const struct phi_scan_input *part,
	enum phi_scan_spelling spelling, struct phi_err *err)
{
	if (part->size > PHI_SCAN_LITERAL_MAX)
		return phi_scan_emit(m->s, part, PHI_RULE_LIMIT, 0, err,
			"a string longer than %d bytes", PHI_SCAN_LITERAL_MAX);
	uint8_t *const bytes = phi_alloc((size_t)part->size, err);
	int result = bytes ? phi_scan_read(part, 0, bytes, (size_t)part->size, err) : -1;
	const size_t n = result ? SIZE_MAX : decode(bytes, (size_t)part->size, spelling);
	if (n != SIZE_MAX && n >= LITERAL_LEAST && may_load(bytes, n)) {
		const struct phi_scan_input inner = { .memory = bytes,
			.size = n,
			.entry = part->entry,
			.origin = part->origin,
			.frozen = true,
			.literal = true,
			.depth = part->depth };
		result = phi_scan_content(m->s, &inner, err);
	}
	phi_free(bytes);
	return result;
}

/* What a string or bytes of a pickle hold may be a pickle again. */
int
phi_machine_literal(struct phi_machine *m, uint64_t at, uint64_t size,
	enum phi_scan_spelling spelling, bool text, struct phi_err *err)
{
	phi_scan_spend(m->s, size < PHI_SCAN_WINDOW ? (size_t)size / 16 : PHI_SCAN_WINDOW / 16);
	/* What is hidden is searched from end to end anyway. */
	if (size < LITERAL_LEAST || m->ended || m->hidden)
		return 0;
	struct phi_scan_input part = phi_scan_part(m->in, at, size);
	part.literal = true;
	part.depth++;
	size_t left;
	const size_t reach = size < PHI_SCAN_WINDOW ? (size_t)size : PHI_SCAN_WINDOW;
	const uint8_t *const p = phi_scan_look(&m->window, at, reach, &left, err);
	if (!p)
		return -1;
	if (size <= PHI_SCAN_WINDOW && !may_load(p, (size_t)size) &&
		!memchr(p, '\\', (size_t)size) && !phi_scan_is_base64(p, (size_t)size))
		return 0;
	if (part.depth > PHI_SCAN_DEPTH_MAX) {
		m->deep = true;
		return 0;
	}
	/* Nothing here moves the window meanwhile. */
	if (size <= PHI_SCAN_WINDOW) {
		part.memory = p;
		part.member = NULL;
		part.spool = NULL;
		part.base = 0;
	}
	if (phi_scan_content(m->s, &part, err))
		return -1;
	return text ? decoded_literal(m, &part, spelling, err) : 0;
}

int
phi_machine_string(struct phi_machine *m, const struct phi_operand *o,
	enum phi_scan_spelling spelling, struct phi_err *err)
{
	struct phi_scan_value v = { .kind = PHI_VALUE_TEXT,
		.spelling = (uint8_t)spelling,
		.at = o->at,
		.size = o->size < UINT32_MAX ? (uint32_t)o->size : UINT32_MAX };
	if (spelling == PHI_SPELT_ESCAPED) {
		char ends[2] = { 0 };
		if (o->size && (phi_scan_read(m->in, o->at, &ends[0], 1, err) ||
				       phi_scan_read(m->in, o->at + o->size - 1, &ends[1], 1, err)))
			return -1;
		if (o->size < 2 || (ends[0] != '\'' && ends[0] != '"') || ends[0] != ends[1]) {
			phi_machine_fault(m);
		} else {
			v.at++;
			v.size -= 2;
		}
	}
	if (phi_machine_literal(m, v.at, v.size, spelling, true, err))
		return -1;
	return phi_machine_push(m, v, err);
}
