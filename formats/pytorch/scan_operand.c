/* What stands behind an opcode (scan_machine.h): nothing, a little-endian number, one line or two,
 * or a length and bytes. */
#include "formats/pytorch/scan_machine.h"

#include <string.h>

enum { LINE_MAX = 64 << 10 }; /* bytes of a line of what is hidden and not proven */

int
phi_machine_take_byte(struct phi_machine *m, uint8_t *byte, struct phi_err *err)
{
	size_t left;
	const uint8_t *const p = phi_scan_look(&m->window, m->at, 1, &left, err);
	if (!p && left)
		return -1;
	if (!p) {
		m->cut = m->broken = m->ended = true;
		return 0;
	}
	*byte = *p;
	m->at++;
	return 0;
}

/* The next n bytes exist and are skipped, or it is the end. */
static bool
skip(struct phi_machine *m, uint64_t n)
{
	if (n > m->in->size - m->at) {
		m->cut = m->broken = m->ended = true;
		return false;
	}
	m->at += n;
	return true;
}

static int
take_number(struct phi_machine *m, unsigned n, uint64_t *out, struct phi_err *err)
{
	size_t left;
	const uint8_t *const p = phi_scan_look(&m->window, m->at, n, &left, err);
	if (!p && left >= n)
		return -1;
	*out = 0;
	for (unsigned i = 0; p && i < n; i++)
		*out |= (uint64_t)p[i] << 8 * i;
	skip(m, n);
	return 0;
}

/* A line without its newline; what is left, where there is none. */
static int
take_line(struct phi_machine *m, uint64_t *at, uint64_t *size, struct phi_err *err)
{
	*at = m->at;
	for (;;) {
		size_t left;
		const uint8_t *const p = phi_scan_look(&m->window, m->at, 1, &left, err);
		if (!p && left)
			return -1;
		if ((m->hidden && !m->r->proven && m->at - *at > LINE_MAX) || !m->s->steps) {
			*size = 0;
			m->broken = m->ended = true;
			return 0;
		}
		const uint8_t *const end = p ? memchr(p, '\n', left) : NULL;
		m->at += end ? (size_t)(end - p) : left;
		phi_scan_spend(m->s, (end ? (size_t)(end - p) : left) / 16);
		if (end || !left) {
			*size = m->at - *at;
			m->at += end != NULL;
			if (!end)
				m->cut = m->broken = m->ended = true;
			return 0;
		}
	}
}

int
phi_machine_take_operand(struct phi_machine *m, const struct phi_opcode *o, struct phi_operand *to,
	struct phi_err *err)
{
	*to = (struct phi_operand){ .at = m->at };
	switch ((enum phi_opcode_form)o->form) {
	case PHI_FORM_BAD:
	case PHI_FORM_NONE:
		return 0;
	case PHI_FORM_BYTES:
		return take_number(m, o->width, &to->number, err);
	case PHI_FORM_LINE:
		return take_line(m, &to->at, &to->size, err);
	case PHI_FORM_LINES:
		return take_line(m, &to->at, &to->size, err) ||
				       (!m->ended && take_line(m, &to->at2, &to->size2, err))
			       ? -1
			       : 0;
	case PHI_FORM_COUNT:
		if (take_number(m, o->width, &to->number, err))
			return -1;
		to->at = m->at;
		to->size = to->number;
		if (!m->ended)
			skip(m, to->size);
		return 0;
	}
	return 0;
}
