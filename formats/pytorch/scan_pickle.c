/* What each opcode does in the scanning machine (scan_machine.h), and the run. */
#include "formats/pytorch/scan_machine.h"

#include "formats/core/memory.h"

#include <inttypes.h>
#include <string.h>

enum {
	PROVEN_STEPS = 16, /* behind a PROTO */
	PROVEN_SINCE = 2, /* behind a global; lines of words begin like one, but do not go on so */
};

/* clang-format off */
enum effect {
	DO_PROTO, DO_FRAME, DO_STOP, DO_MARK, DO_POP, DO_POP_MARK, DO_DUP, DO_PUSH, DO_NUMBER,
	DO_NOTHING, DO_QUOTED, DO_UNICODE, DO_STRING, DO_BYTESTRING, DO_COLLECT, DO_TUPLE, DO_APPEND,
	DO_SETITEM, DO_APPENDS, DO_GLOBAL, DO_INST, DO_STACK_GLOBAL, DO_EXTENSION, DO_CALL,
	DO_CALL_KEYS, DO_OBJ, DO_BUILD, DO_PERSISTENT_LINE, DO_PERSISTENT, DO_PUT_LINE, DO_PUT,
	DO_MEMOIZE, DO_GET_LINE, DO_GET,
};
/* clang-format on */

static const struct phi_opcode opcodes[256] = {
#define OPCODE(byte, form, n, effect) [byte] = { PHI_FORM_##form, n, DO_##effect },
#include "formats/pytorch/scan_opcodes.def"
#undef OPCODE
};

/* What a call of `callee` leaves. */
static int
call(struct phi_machine *m, struct phi_scan_value callee, struct phi_err *err)
{
	if (callee.kind == PHI_VALUE_GLOBAL) {
		if (phi_machine_prove(m, err))
			return -1;
		if (callee.class <= PHI_GLOBAL_UNKNOWN)
			return phi_machine_push_kind(m, PHI_VALUE_ANYTHING, err);
		return phi_machine_push(m,
			(struct phi_scan_value){ .kind = PHI_VALUE_MADE, .class = callee.class },
			err);
	}
	if (callee.kind == PHI_VALUE_PLAIN || callee.kind == PHI_VALUE_TEXT) {
		phi_machine_fault(m); /* not callable */
		return phi_machine_push_kind(m, PHI_VALUE_ANYTHING, err);
	}
	if (!m->ended &&
		phi_machine_say(m, PHI_RULE_CALL, err,
			callee.kind == PHI_VALUE_OUTSIDE ? "calls an object from outside the pickle"
							 : "calls what an earlier call made"))
		return -1;
	return phi_machine_push_kind(m, PHI_VALUE_ANYTHING, err);
}

static int
build(struct phi_machine *m, struct phi_err *err)
{
	(void)phi_machine_pop(m);
	const struct phi_scan_value to = phi_machine_top(m);
	if (to.kind != PHI_VALUE_GLOBAL || m->ended)
		return 0;
	return phi_machine_prove(m, err) || phi_machine_say(m, PHI_RULE_BUILD, err,
						    "sets attributes of a global")
		       ? -1
		       : 0;
}

/* Items are put into the value on top, whose append, extend, add or __setitem__ is called. */
static int
modify(struct phi_machine *m, bool keyed, struct phi_err *err)
{
	const struct phi_scan_value to = phi_machine_top(m);
	if (m->ended)
		return 0;
	if (to.kind == PHI_VALUE_GLOBAL)
		return phi_machine_prove(m, err) || phi_machine_say(m, PHI_RULE_MODIFY, err,
							    "puts items into a global")
			       ? -1
			       : 0;
	if (keyed && (to.kind == PHI_VALUE_OUTSIDE ||
			     (to.kind == PHI_VALUE_MADE && to.class != PHI_GLOBAL_CONTAINER)))
		return phi_machine_say(
			m, PHI_RULE_ITEMS, err, "puts items into what is no container");
	return 0;
}

/* Python's int() takes spaces, signs and underscores too. */
static int
memo_line(struct phi_machine *m, const struct phi_operand *o, bool putting, struct phi_err *err)
{
	char text[64];
	uint64_t index = 0;
	bool odd = !o->size || o->size > sizeof text, none = !o->size;
	const size_t n = o->size < sizeof text ? (size_t)o->size : sizeof text;
	if (phi_scan_read(m->in, o->at, text, n, err))
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9') {
			odd = true;
			none |= !strchr("+_ \t\r", text[i]) || !text[i];
		} else if (index < UINT64_MAX / 16)
			index = 10 * index + (uint64_t)(text[i] - '0');
	}
	if (none)
		phi_machine_fault(m);
	if (odd) {
		if (!m->ended &&
			phi_machine_say_form(m, PHI_RULE_MEMO, err, "a memo number spelt oddly"))
			return -1;
	}
	if (m->ended)
		return 0;
	return putting ? phi_machine_memorize(m, index, err) : phi_machine_recall(m, index, err);
}

/* A loader that finds no number stops; lines of text are none. */
static int
number(struct phi_machine *m, const struct phi_operand *o, struct phi_err *err)
{
	char c = '\0';
	if (o->size && phi_scan_read(m->in, o->at, &c, 1, err))
		return -1;
	if (!m->r->proven && (!c || !strchr("0123456789+-. \tinIN", c)))
		phi_machine_fault(m);
	return phi_machine_push_kind(m, PHI_VALUE_PLAIN, err);
}

static int
proto(struct phi_machine *m, uint64_t version, struct phi_err *err)
{
	if (version > 5) {
		phi_machine_fault(m);
		return m->ended ? 0
				: phi_machine_say_form(
					  m, PHI_RULE_PROTOCOL, err, "a protocol beyond 5");
	}
	if (m->op == m->start)
		m->r->headed = true;
	else
		return phi_machine_say_form(
			m, PHI_RULE_PROTOCOL, err, "the protocol is named late, or twice");
	return 0;
}

/* Frames follow each other; an opcode's bytes do not pass a frame's end. */
static int
check_frame(struct phi_machine *m, const struct phi_opcode *o, const struct phi_operand *a,
	struct phi_err *err)
{
	const bool crosses = m->framed && m->op < m->frame_end && m->at > m->frame_end;
	int result = 0;
	if (crosses)
		result = phi_machine_say_form(
			m, PHI_RULE_FRAME, err, "an opcode crosses the end of its frame");
	if (o->effect != DO_FRAME || m->ended)
		return result;
	if (m->framed && m->op < m->frame_end && !crosses && !result)
		result = phi_machine_say_form(m, PHI_RULE_FRAME, err, "a frame inside a frame");
	/* Eight bytes that happen to be a length are rare. */
	if (m->r->headed && m->r->steps == 1 && a->number >> 32 == 0 && phi_machine_prove(m, err))
		return -1;
	if (a->number > m->in->size - m->at) {
		phi_machine_fault(m);
		if (!m->ended && !result)
			result = phi_machine_say_form(
				m, PHI_RULE_FRAME, err, "a frame beyond the end");
	}
	m->framed = true;
	m->frame_end = a->number <= m->in->size - m->at ? m->at + a->number : m->in->size;
	return result;
}

static int
inst(struct phi_machine *m, const struct phi_operand *a, struct phi_err *err)
{
	struct phi_scan_value first;
	if (phi_machine_global(m, a, err))
		return -1;
	const struct phi_scan_value class = phi_machine_pop(m);
	phi_machine_pop_mark(m, &first);
	return m->ended ? 0 : call(m, class, err);
}

static int
run_call(struct phi_machine *m, unsigned operands, struct phi_err *err)
{
	for (unsigned i = 0; i < operands; i++)
		(void)phi_machine_pop(m);
	const struct phi_scan_value callee = phi_machine_pop(m);
	return m->ended ? 0 : call(m, callee, err);
}

static int
extension(struct phi_machine *m, uint64_t code, struct phi_err *err)
{
	m->r->globals += !m->hidden;
	return phi_machine_say(m, PHI_RULE_EXTENSION, err,
		       "extension %" PRIu64 " of the loader's registry", code) ||
			       phi_machine_push_kind(m, PHI_VALUE_ANYTHING, err)
		       ? -1
		       : 0;
}

static int
tuple(struct phi_machine *m, unsigned n, struct phi_err *err)
{
	while (n--)
		(void)phi_machine_pop(m);
	return phi_machine_push_kind(m, PHI_VALUE_PLAIN, err);
}

static int
stop(struct phi_machine *m, struct phi_err *err)
{
	(void)phi_machine_pop(m);
	if (m->ended)
		return 0;
	m->r->stopped = m->ended = true;
	return phi_machine_prove(m, err);
}

/* clang-format off */
/* What each opcode does. Longer than other functions, as it is a table. */
static int
act(struct phi_machine *m, const struct phi_opcode *o, uint8_t code, const struct phi_operand *a,
	struct phi_err *err)
{
	struct phi_scan_value v;
	switch ((enum effect)o->effect) {
	case DO_PROTO: return proto(m, a->number, err);
	case DO_FRAME:
	case DO_NOTHING: return 0;
	case DO_STOP: return stop(m, err);
	case DO_MARK: return phi_machine_mark(m, err);
	case DO_POP:
		phi_machine_drop(m);
		return 0;
	case DO_POP_MARK: phi_machine_pop_mark(m, &v); return 0;
	case DO_DUP: v = phi_machine_top(m); return m->ended ? 0 : phi_machine_push(m, v, err);
	case DO_PUSH: return phi_machine_push_kind(m, PHI_VALUE_PLAIN, err);
	case DO_NUMBER: return number(m, a, err);
	case DO_QUOTED: return phi_machine_string(m, a, PHI_SPELT_ESCAPED, err);
	case DO_UNICODE: return phi_machine_string(m, a, PHI_SPELT_RAW_UNICODE, err);
	case DO_STRING: return phi_machine_string(m, a, PHI_SPELT_AS_IS, err);
	case DO_BYTESTRING:
		if (phi_machine_literal(m, a->at, a->size, PHI_SPELT_AS_IS, false, err))
			return -1;
		return phi_machine_push_kind(m, PHI_VALUE_PLAIN, err);
	case DO_COLLECT: phi_machine_pop_mark(m, &v); return phi_machine_push_kind(m, PHI_VALUE_PLAIN, err);
	case DO_TUPLE: return tuple(m, code - 0x84u, err);
	case DO_APPEND: (void)phi_machine_pop(m); return modify(m, false, err);
	case DO_SETITEM: (void)phi_machine_pop(m); (void)phi_machine_pop(m); return modify(m, true, err);
	case DO_APPENDS: phi_machine_pop_mark(m, &v); return modify(m, code == 'u', err);
	case DO_GLOBAL: return phi_machine_global(m, a, err);
	case DO_INST: return inst(m, a, err);
	case DO_STACK_GLOBAL: return phi_machine_stack_global(m, err);
	case DO_EXTENSION: return extension(m, a->number, err);
	case DO_CALL: return run_call(m, 1, err);
	case DO_CALL_KEYS: return run_call(m, 2, err);
	case DO_OBJ: phi_machine_pop_mark(m, &v); return m->ended ? 0 : call(m, v, err);
	case DO_BUILD: return build(m, err);
	case DO_PERSISTENT_LINE: return phi_machine_push_kind(m, PHI_VALUE_OUTSIDE, err);
	case DO_PERSISTENT: (void)phi_machine_pop(m); return phi_machine_push_kind(m, PHI_VALUE_OUTSIDE, err);
	case DO_PUT_LINE: return memo_line(m, a, true, err);
	case DO_PUT: return phi_machine_memorize(m, a->number, err);
	case DO_MEMOIZE: return phi_machine_memorize(m, m->memo_used, err);
	case DO_GET_LINE: return memo_line(m, a, false, err);
	case DO_GET: return phi_machine_recall(m, a->number, err);
	}
	return 0;
}
/* clang-format on */

/* torch begins its old files with a pickle of this number. */
static bool
is_magic(struct phi_machine *m, const struct phi_opcode *o, uint8_t code,
	const struct phi_operand *a)
{
	static const uint8_t magic[] = { 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50,
		0x19 };
	uint8_t bytes[sizeof magic];
	return o->form == PHI_FORM_COUNT && code == 0x8A && a->size == sizeof magic &&
	       !phi_scan_read(m->in, a->at, bytes, sizeof bytes, NULL) &&
	       !memcmp(bytes, magic, sizeof magic);
}

static int
step(struct phi_machine *m, struct phi_err *err)
{
	uint8_t code = 0;
	struct phi_operand a;
	m->op = m->at;
	if (phi_machine_take_byte(m, &code, err))
		return -1;
	const struct phi_opcode *const o = &opcodes[code];
	if (m->ended || o->form == PHI_FORM_BAD) {
		m->broken = m->ended = true;
		m->at = m->op;
		return 0;
	}
	if (phi_machine_take_operand(m, o, &a, err))
		return -1;
	/* A global whose second line ends with the text is loaded before the loader notices. */
	const bool last = m->ended && o->form == PHI_FORM_LINES && a.size2;
	if (m->ended && !last)
		return 0;
	if (check_frame(m, o, &a, err))
		return -1;
	m->r->steps++;
	if (m->r->steps == 2)
		m->r->magic = is_magic(m, o, code, &a);
	if (act(m, o, code, &a, err))
		return -1;
	m->since += m->named && !m->broken && o->form != PHI_FORM_LINES;
	const bool proof =
		m->since >= PROVEN_SINCE || (m->r->headed && m->r->steps >= PROVEN_STEPS);
	return proof && !m->broken ? phi_machine_prove(m, err) : 0;
}

static int
run(struct phi_machine *m, struct phi_err *err)
{
	while (!m->ended) {
		if (!m->s->steps) {
			m->ended = true;
			if (m->s->full)
				return 0;
			m->s->full = true;
			return phi_scan_emit(m->s, m->in, PHI_RULE_LIMIT, m->at, err,
				"more than %d opcodes; what is left was not looked at",
				PHI_SCAN_STEPS_MAX);
		}
		m->s->steps--;
		if (step(m, err))
			return -1;
	}
	if (m->deep && m->r->proven &&
		phi_scan_emit(m->s, m->in, PHI_RULE_DEPTH, m->start, err,
			"pickles in strings of pickles, deeper than %d", PHI_SCAN_DEPTH_MAX))
		return -1;
	if (m->cut && m->harm && !m->hidden && phi_machine_prove(m, err))
		return -1;
	if (m->broken && !m->r->stopped && m->r->proven && !m->hidden)
		return phi_machine_say(m, PHI_RULE_BROKEN, err,
			"the pickle that begins at %" PRIu64
			" breaks off here; what comes before would have run",
			m->start);
	return 0;
}

int
phi_scan_pickle(struct phi_scan *s, const struct phi_scan_input *in, uint64_t at, bool hidden,
	struct phi_scan_pickle *result, struct phi_err *err)
{
	struct phi_scan_pending pending[PHI_SCAN_PENDING_MAX];
	struct phi_machine m = { .s = s,
		.in = in,
		.window = { .in = in },
		.start = at,
		.at = at,
		.pending = pending,
		.hidden = hidden,
		.r = result };
	*result = (struct phi_scan_pickle){ 0 };
	const int failed = run(&m, err);
	result->used = m.at - at;
	result->magic = result->magic && result->stopped && result->steps == 3;
	phi_scan_window_free(&m.window);
	phi_free(m.stack);
	phi_free(m.marks);
	phi_free(m.memo);
	return failed;
}
