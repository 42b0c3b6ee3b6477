/* The state of the scanning machine: what it says, its stack, its memo (scan_machine.h). */
#include "formats/pytorch/scan_machine.h"

#include "formats/core/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
phi_machine_prove(struct phi_machine *m, struct phi_err *err)
{
	/* In weights, any short run of opcodes is met sooner or later; one with a name is not. */
	if (m->r->proven || (m->hidden && !m->named))
		return 0;
	m->r->proven = true;
	for (size_t i = 0; i < m->npending; i++) {
		const struct phi_scan_pending *const p = &m->pending[i];
		if (phi_scan_emit(m->s, m->in, p->rule, p->at, err, "%s", p->text))
			return -1;
	}
	m->npending = 0;
	return 0;
}

int
phi_machine_say(
	struct phi_machine *m, enum phi_scan_rule rule, struct phi_err *err, const char *fmt, ...)
{
	char text[400];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (!m->r->proven && m->npending == PHI_SCAN_PENDING_MAX && phi_machine_prove(m, err))
		return -1;
	if (m->r->proven)
		return phi_scan_emit(m->s, m->in, rule, m->op, err, "%s", text);
	if (m->npending == PHI_SCAN_PENDING_MAX)
		return 0;
	struct phi_scan_pending *const p = &m->pending[m->npending++];
	p->rule = rule;
	p->at = m->op;
	memcpy(p->text, text, sizeof p->text);
	return 0;
}

int
phi_machine_say_form(
	struct phi_machine *m, enum phi_scan_rule rule, struct phi_err *err, const char *text)
{
	return m->hidden ? 0 : phi_machine_say(m, rule, err, "%s", text);
}

void
phi_machine_fault(struct phi_machine *m)
{
	m->broken = true;
	if (!m->r->proven)
		m->ended = true;
}

int
phi_machine_push(struct phi_machine *m, struct phi_scan_value v, struct phi_err *err)
{
	if (m->height == PHI_SCAN_STACK_MAX) {
		m->ended = true;
		return phi_scan_emit(m->s, m->in, PHI_RULE_LIMIT, m->op, err,
			"a pickle with more than %d values on its stack", PHI_SCAN_STACK_MAX);
	}
	if (phi_grow(&m->stack, &m->stack_capacity, m->height, sizeof *m->stack, err))
		return -1;
	m->stack[m->height++] = v;
	return 0;
}

int
phi_machine_push_kind(struct phi_machine *m, enum phi_scan_kind kind, struct phi_err *err)
{
	return phi_machine_push(m, (struct phi_scan_value){ .kind = kind }, err);
}

static size_t
fence(const struct phi_machine *m)
{
	return m->nmarks ? m->marks[m->nmarks - 1] : 0;
}

struct phi_scan_value
phi_machine_pop(struct phi_machine *m)
{
	if (m->height > fence(m))
		return m->stack[--m->height];
	phi_machine_fault(m);
	return (struct phi_scan_value){ .kind = PHI_VALUE_ANYTHING };
}

struct phi_scan_value
phi_machine_top(struct phi_machine *m)
{
	if (m->height > fence(m))
		return m->stack[m->height - 1];
	phi_machine_fault(m);
	return (struct phi_scan_value){ .kind = PHI_VALUE_ANYTHING };
}

int
phi_machine_mark(struct phi_machine *m, struct phi_err *err)
{
	if (m->nmarks == PHI_SCAN_STACK_MAX) {
		m->ended = true;
		return phi_scan_emit(m->s, m->in, PHI_RULE_LIMIT, m->op, err,
			"a pickle nested deeper than %d", PHI_SCAN_STACK_MAX);
	}
	if (phi_grow(&m->marks, &m->marks_capacity, m->nmarks, sizeof *m->marks, err))
		return -1;
	m->marks[m->nmarks++] = m->height;
	return 0;
}

void
phi_machine_pop_mark(struct phi_machine *m, struct phi_scan_value *first)
{
	*first = (struct phi_scan_value){ .kind = PHI_VALUE_PLAIN };
	if (!m->nmarks) {
		phi_machine_fault(m);
		first->kind = PHI_VALUE_ANYTHING;
		m->height = 0;
		return;
	}
	const size_t base = m->marks[--m->nmarks];
	if (base < m->height)
		*first = m->stack[base];
	m->height = base;
}

void
phi_machine_drop(struct phi_machine *m)
{
	if (m->nmarks && m->height == fence(m))
		m->nmarks--;
	else
		(void)phi_machine_pop(m);
}

/* The slot of a number, or the free one where it belongs. */
static struct phi_scan_slot *
find_slot(struct phi_scan_slot *table, size_t size, uint64_t key)
{
	size_t i = (size_t)(key * 0x9E3779B97F4A7C15u >> 20) & (size - 1);
	while (table[i].key && table[i].key != key)
		i = (i + 1) & (size - 1);
	return &table[i];
}

static int
grow_memo(struct phi_machine *m, struct phi_err *err)
{
	const size_t size = m->memo_size ? 2 * m->memo_size : 64;
	struct phi_scan_slot *const table = phi_calloc(size, sizeof *table, err);
	if (!table)
		return -1;
	for (size_t i = 0; i < m->memo_size; i++)
		if (m->memo[i].key)
			*find_slot(table, size, m->memo[i].key) = m->memo[i];
	phi_free(m->memo);
	m->memo = table;
	m->memo_size = size;
	return 0;
}

int
phi_machine_memorize(struct phi_machine *m, uint64_t index, struct phi_err *err)
{
	const struct phi_scan_value v = phi_machine_top(m);
	if (m->ended)
		return 0;
	if (m->memo_used == PHI_SCAN_MEMO_MAX) {
		m->ended = true;
		return phi_scan_emit(m->s, m->in, PHI_RULE_LIMIT, m->op, err,
			"a pickle with more than %d values in its memo", PHI_SCAN_MEMO_MAX);
	}
	if (2 * m->memo_used >= m->memo_size && grow_memo(m, err))
		return -1;
	struct phi_scan_slot *const slot = find_slot(m->memo, m->memo_size, index + 1);
	m->memo_used += !slot->key; /* MEMOIZE counts the numbers that were given */
	*slot = (struct phi_scan_slot){ index + 1, v };
	return 0;
}

int
phi_machine_recall(struct phi_machine *m, uint64_t index, struct phi_err *err)
{
	const struct phi_scan_slot *const slot =
		m->memo ? find_slot(m->memo, m->memo_size, index + 1) : NULL;
	if (slot && slot->key)
		return phi_machine_push(m, slot->value, err);
	phi_machine_fault(m);
	if (m->ended)
		return 0;
	return phi_machine_say_form(m, PHI_RULE_MEMO, err, "a memo number that was never given")
		       ? -1
		       : phi_machine_push_kind(m, PHI_VALUE_ANYTHING, err);
}
