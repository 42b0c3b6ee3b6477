/* The abstract pickle machine of --scan. It runs every opcode, and of each value knows only what it
 * could be for a loader. Where a loader would stop (an empty stack, a memo number that is not there) it
 * goes on with a value that could be anything, since loaders differ; only what cannot be parsed any
 * more ends it.
 *
 * Bytes that happen to be opcodes are everywhere, so nothing is said until it is proven that this is
 * a pickle: a global is called, STOP is reached, some opcodes behind a PROTO or a global make sense.
 * Until then an empty stack ends the run too, as it ends a loader's.
 *
 * One machine with one state, hence one file, longer than most. */
#include "formats/pytorch/scan.h"

#include "formats/core/bytes.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	PROVEN_STEPS = 16, /* behind a PROTO */
	PROVEN_SINCE = 2,  /* behind a global; lines of words begin like one, but do not go on so */
	NAME_BYTES = 512,  /* of a module or a name; longer ones are odd */
	PENDING_MAX = 32,  /* findings held back until proven; so many are proof */
	LINE_MAX = 64 << 10, /* bytes of a line of what is hidden and not proven */
	LITERAL_LEAST = 8, /* bytes of a string that may hold a pickle that does anything */
};

/* What a value could be for a loader. */
enum kind {
	ANYTHING, /* of a call that is not allowed, or of nobody knows what */
	PLAIN,	  /* numbers, containers, bytes: nothing to call, and no name */
	TEXT,	  /* a string as it stands in the pickle */
	GLOBAL,
	MADE,	 /* by a call of an allowed global */
	OUTSIDE, /* of a persistent id: the loader's */
};

enum spelling { AS_IS, ESCAPED, RAW_UNICODE };

struct value {
	uint8_t kind, spelling;
	uint8_t class; /* enum phi_scan_global: of a GLOBAL, or of what MADE it */
	uint32_t size; /* of a TEXT: its bytes at `at` */
	uint64_t at;
};

struct slot {
	uint64_t key; /* number + 1; 0: free */
	struct value value;
};

struct pending {
	enum phi_scan_rule rule;
	uint64_t at;
	char text[400];
};

struct machine {
	struct phi_scan *s;
	const struct phi_scan_input *in;
	struct phi_scan_window window;
	uint64_t start, at, op; /* op: where the opcode being run stands */
	uint64_t frame_end;
	bool framed, hidden, ended, broken;
	bool named;	/* there was a global with a proper name */
	bool harm;	/* and a dangerous one */
	bool cut;	/* the text ends within an opcode */
	bool deep;	/* a string was not looked into */
	unsigned since; /* opcodes after it that made sense */
	struct value *stack;
	size_t height, stack_capacity;
	size_t *marks;
	size_t nmarks, marks_capacity;
	struct slot *memo; /* a hash table: numbers may be any */
	size_t memo_size, memo_used; /* size: a power of 2 */
	struct pending *pending; /* PENDING_MAX of them */
	size_t npending;
	struct phi_scan_pickle *r;
};

/* Where an opcode's operand stands, its value if it is a number, and its second line. */
struct operand {
	uint64_t at, size, number, at2, size2;
};

enum form { FORM_BAD, FORM_NONE, FORM_BYTES, FORM_LINE, FORM_LINES, FORM_COUNT };
enum effect {
	DO_PROTO, DO_FRAME, DO_STOP, DO_MARK, DO_POP, DO_POP_MARK, DO_DUP, DO_PUSH, DO_NUMBER,
	DO_NOTHING, DO_QUOTED, DO_UNICODE, DO_STRING, DO_BYTESTRING, DO_COLLECT, DO_TUPLE, DO_APPEND,
	DO_SETITEM, DO_APPENDS, DO_GLOBAL, DO_INST, DO_STACK_GLOBAL, DO_EXTENSION, DO_CALL,
	DO_CALL_KEYS, DO_OBJ, DO_BUILD, DO_PERSISTENT_LINE, DO_PERSISTENT, DO_PUT_LINE, DO_PUT,
	DO_MEMOIZE, DO_GET_LINE, DO_GET,
};

static const struct opcode {
	uint8_t form, width, effect;
} opcodes[256] = {
#define OPCODE(byte, form, n, effect) [byte] = { FORM_##form, n, DO_##effect },
#include "formats/pytorch/scan_opcodes.def"
#undef OPCODE
};

/* Findings */

static int
prove(struct machine *m, struct phi_err *err)
{
	/* In weights, any short run of opcodes is met sooner or later; one with a name is not. */
	if (m->r->proven || (m->hidden && !m->named))
		return 0;
	m->r->proven = true;
	for (size_t i = 0; i < m->npending; i++) {
		const struct pending *const p = &m->pending[i];
		if (phi_scan_emit(m->s, m->in, p->rule, p->at, err, "%s", p->text))
			return -1;
	}
	m->npending = 0;
	return 0;
}

static int say(struct machine *m, enum phi_scan_rule rule, struct phi_err *err, const char *fmt, ...)
	PHI_PRINTF(4, 5);
static int
say(struct machine *m, enum phi_scan_rule rule, struct phi_err *err, const char *fmt, ...)
{
	char text[400];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (!m->r->proven && m->npending == PENDING_MAX && prove(m, err))
		return -1;
	if (m->r->proven)
		return phi_scan_emit(m->s, m->in, rule, m->op, err, "%s", text);
	if (m->npending == PENDING_MAX)
		return 0;
	struct pending *const p = &m->pending[m->npending++];
	p->rule = rule;
	p->at = m->op;
	memcpy(p->text, text, sizeof p->text);
	return 0;
}

/* The form of the pickle is worth a finding only where a loader begins. */
static int
say_form(struct machine *m, enum phi_scan_rule rule, struct phi_err *err, const char *text)
{
	return m->hidden ? 0 : say(m, rule, err, "%s", text);
}

/* A loader stops here; we do so too unless this is a pickle for sure. */
static void
fault(struct machine *m)
{
	m->broken = true;
	if (!m->r->proven)
		m->ended = true;
}

/* Text */

/* The byte at m->at, or an end. */
static int
take_byte(struct machine *m, uint8_t *byte, struct phi_err *err)
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
skip(struct machine *m, uint64_t n)
{
	if (n > m->in->size - m->at) {
		m->cut = m->broken = m->ended = true;
		return false;
	}
	m->at += n;
	return true;
}

static int
take_number(struct machine *m, unsigned n, uint64_t *out, struct phi_err *err)
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
take_line(struct machine *m, uint64_t *at, uint64_t *size, struct phi_err *err)
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

static int
take_operand(struct machine *m, const struct opcode *o, struct operand *to, struct phi_err *err)
{
	*to = (struct operand){ .at = m->at };
	switch ((enum form)o->form) {
	case FORM_BAD:
	case FORM_NONE:
		return 0;
	case FORM_BYTES:
		return take_number(m, o->width, &to->number, err);
	case FORM_LINE:
		return take_line(m, &to->at, &to->size, err);
	case FORM_LINES:
		return take_line(m, &to->at, &to->size, err) ||
				(!m->ended && take_line(m, &to->at2, &to->size2, err)) ? -1 : 0;
	case FORM_COUNT:
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

/* The stack */

static int
push(struct machine *m, struct value v, struct phi_err *err)
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

static int
push_kind(struct machine *m, enum kind kind, struct phi_err *err)
{
	return push(m, (struct value){ .kind = kind }, err);
}

static size_t
fence(const struct machine *m)
{
	return m->nmarks ? m->marks[m->nmarks - 1] : 0;
}

static struct value
pop(struct machine *m)
{
	if (m->height > fence(m))
		return m->stack[--m->height];
	fault(m);
	return (struct value){ .kind = ANYTHING };
}

static struct value
top(struct machine *m)
{
	if (m->height > fence(m))
		return m->stack[m->height - 1];
	fault(m);
	return (struct value){ .kind = ANYTHING };
}

static int
mark(struct machine *m, struct phi_err *err)
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

/* Drops all above the innermost mark, and it; *first is the lowest of them, PLAIN if there is none. */
static void
pop_mark(struct machine *m, struct value *first)
{
	*first = (struct value){ .kind = PLAIN };
	if (!m->nmarks) {
		fault(m);
		first->kind = ANYTHING;
		m->height = 0;
		return;
	}
	const size_t base = m->marks[--m->nmarks];
	if (base < m->height)
		*first = m->stack[base];
	m->height = base;
}

/* Globals */

static size_t
put_utf8(char *dst, uint32_t c)
{
	if (c < 0x80) {
		dst[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		dst[0] = (char)(0xC0 | c >> 6);
		dst[1] = (char)(0x80 | (c & 0x3F));
		return 2;
	}
	dst[0] = (char)(0xE0 | (c >> 12 & 0xF));
	dst[1] = (char)(0x80 | (c >> 6 & 0x3F));
	dst[2] = (char)(0x80 | (c & 0x3F));
	return 3;
}

/* The digits of \x41, \101, A; the count that were taken. */
static size_t
digits(const char *s, size_t left, size_t most, unsigned base, uint32_t *out)
{
	size_t n = 0;
	*out = 0;
	for (; n < most && n < left; n++) {
		const char c = s[n];
		const unsigned d = c >= '0' && c <= '9' ? (unsigned)(c - '0')
			: c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
			: c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10) : 99;
		if (d >= base)
			break;
		*out = *out * base + d;
	}
	return n;
}

/* Undoes escapes in place; they only ever shrink. utf8: to characters, else to bytes, and SIZE_MAX if
 * there are characters beyond them. */
static size_t
unescape(char *s, size_t n, enum spelling spelling, bool utf8)
{
	size_t to = 0;
	for (size_t i = 0; i < n;) {
		uint32_t c = 0;
		const char next = i + 1 < n ? s[i + 1] : '\0';
		const bool unicode = spelling == RAW_UNICODE;
		size_t used = 0;
		if (s[i] != '\\') {
			s[to++] = s[i++];
			continue;
		}
		if (unicode && (next == 'u' || next == 'U'))
			used = digits(s + i + 2, n - i - 2, next == 'u' ? 4 : 8, 16, &c);
		else if (!unicode && next == 'x')
			used = digits(s + i + 2, n - i - 2, 2, 16, &c);
		else if (!unicode && next >= '0' && next <= '7')
			used = digits(s + i + 1, n - i - 1, 3, 8, &c);
		if (used && !(next >= '0' && next <= '7'))
			used++;
		if (used && !utf8 && c > 255)
			return SIZE_MAX;
		if (used && !utf8) {
			s[to++] = (char)c;
			i += 1 + used;
		} else if (used) {
			to += put_utf8(s + to, c);
			i += 1 + used;
		} else {
			s[to++] = s[i++];
		}
	}
	return to;
}

static int
read_text(struct machine *m, const struct value *v, char *dst, size_t *n, struct phi_err *err)
{
	*n = v->size < NAME_BYTES ? v->size : NAME_BYTES;
	if (phi_scan_read(m->in, v->at, dst, *n, err))
		return -1;
	if (v->spelling != AS_IS)
		*n = unescape(dst, *n, v->spelling, true);
	return 0;
}

/* Of letters, digits, underscores and dots: could be meant as a name. */
static bool
words(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!(s[i] >= 'a' && s[i] <= 'z') && !(s[i] >= 'A' && s[i] <= 'Z') &&
			!(s[i] >= '0' && s[i] <= '9') && s[i] != '_' && s[i] != '.')
			return false;
	return n > 0;
}

/* Says what a global is, and pushes it. */
static int
judge(struct machine *m, const char *module, size_t nmodule, const char *name, size_t nname,
	struct phi_err *err)
{
	static const struct {
		enum phi_scan_rule rule;
		const char *what;
	} said[] = {
		[PHI_GLOBAL_DANGEROUS] = { PHI_RULE_DANGEROUS, "runs code, or reaches what does" },
		[PHI_GLOBAL_ODD] = { PHI_RULE_ODD, "is no name that picklers write" },
		[PHI_GLOBAL_UNKNOWN] = { PHI_RULE_UNKNOWN, "is not among what weights need" },
	};
	const bool cut = nmodule == NAME_BYTES || nname == NAME_BYTES;
	const enum phi_scan_global class = cut ? PHI_GLOBAL_ODD
		: phi_scan_classify(module, nmodule, name, nname);
	char a[200], b[200];
	m->r->globals++;
	phi_scan_spend(m->s, 64);
	m->named |= class != PHI_GLOBAL_ODD || (words(module, nmodule) && words(name, nname));
	m->harm |= class == PHI_GLOBAL_DANGEROUS;
	if (m->named && m->r->headed && prove(m, err))
		return -1;
	/* Lines of text that are no names: this is no pickle. */
	if (!m->named && !m->r->proven && !m->r->headed)
		m->ended = m->broken = true;
	else if (class <= PHI_GLOBAL_UNKNOWN &&
		 say(m, said[class].rule, err, "%s %s %s", phi_escape(a, sizeof a, module, nmodule),
			 phi_escape(b, sizeof b, name, nname), said[class].what))
		return -1;
	return push(m, (struct value){ .kind = GLOBAL, .class = (uint8_t)class }, err);
}

static int
global_lines(struct machine *m, const struct operand *o, struct phi_err *err)
{
	char module[NAME_BYTES], name[NAME_BYTES];
	const struct value a = { .at = o->at, .size = o->size < NAME_BYTES ? (uint32_t)o->size : NAME_BYTES };
	const struct value b = { .at = o->at2, .size = o->size2 < NAME_BYTES ? (uint32_t)o->size2 : NAME_BYTES };
	size_t n, k;
	if (read_text(m, &a, module, &n, err) || read_text(m, &b, name, &k, err))
		return -1;
	return judge(m, module, n, name, k, err);
}

static int
stack_global(struct machine *m, struct phi_err *err)
{
	char module[NAME_BYTES], name[NAME_BYTES];
	size_t n, k;
	const struct value b = pop(m), a = pop(m);
	if (a.kind == TEXT && b.kind == TEXT) {
		if (read_text(m, &a, module, &n, err) || read_text(m, &b, name, &k, err))
			return -1;
		return judge(m, module, n, name, k, err);
	}
	m->r->globals++;
	if (!m->ended && say(m, PHI_RULE_COMPUTED, err,
		"a global whose name is no string of the pickle, but computed"))
		return -1;
	return push_kind(m, ANYTHING, err);
}

/* Calls */

/* What a call of `callee` leaves. */
static int
call(struct machine *m, struct value callee, struct phi_err *err)
{
	if (callee.kind == GLOBAL) {
		if (prove(m, err))
			return -1;
		if (callee.class <= PHI_GLOBAL_UNKNOWN)
			return push_kind(m, ANYTHING, err);
		return push(m, (struct value){ .kind = MADE, .class = callee.class }, err);
	}
	if (callee.kind == PLAIN || callee.kind == TEXT) {
		fault(m); /* not callable */
		return push_kind(m, ANYTHING, err);
	}
	if (!m->ended && say(m, PHI_RULE_CALL, err, callee.kind == OUTSIDE
		? "calls an object from outside the pickle"
		: "calls what an earlier call made"))
		return -1;
	return push_kind(m, ANYTHING, err);
}

static int
build(struct machine *m, struct phi_err *err)
{
	(void)pop(m);
	const struct value to = top(m);
	if (to.kind != GLOBAL || m->ended)
		return 0;
	return prove(m, err) || say(m, PHI_RULE_BUILD, err, "sets attributes of a global") ? -1 : 0;
}

/* Items are put into the value on top, whose append, extend, add or __setitem__ is called. */
static int
modify(struct machine *m, bool keyed, struct phi_err *err)
{
	const struct value to = top(m);
	if (m->ended)
		return 0;
	if (to.kind == GLOBAL)
		return prove(m, err) || say(m, PHI_RULE_MODIFY, err, "puts items into a global") ? -1 : 0;
	if (keyed && (to.kind == OUTSIDE || (to.kind == MADE && to.class != PHI_GLOBAL_CONTAINER)))
		return say(m, PHI_RULE_ITEMS, err, "puts items into what is no container");
	return 0;
}

/* The memo */

/* The slot of a number, or the free one where it belongs. */
static struct slot *
find_slot(struct slot *table, size_t size, uint64_t key)
{
	size_t i = (size_t)(key * 0x9E3779B97F4A7C15u >> 20) & (size - 1);
	while (table[i].key && table[i].key != key)
		i = (i + 1) & (size - 1);
	return &table[i];
}

static int
grow_memo(struct machine *m, struct phi_err *err)
{
	const size_t size = m->memo_size ? 2 * m->memo_size : 64;
	struct slot *const table = phi_calloc(size, sizeof *table, err);
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

static int
put(struct machine *m, uint64_t index, struct phi_err *err)
{
	const struct value v = top(m);
	if (m->ended)
		return 0;
	if (m->memo_used == PHI_SCAN_MEMO_MAX) {
		m->ended = true;
		return phi_scan_emit(m->s, m->in, PHI_RULE_LIMIT, m->op, err,
			"a pickle with more than %d values in its memo", PHI_SCAN_MEMO_MAX);
	}
	if (2 * m->memo_used >= m->memo_size && grow_memo(m, err))
		return -1;
	struct slot *const slot = find_slot(m->memo, m->memo_size, index + 1);
	m->memo_used += !slot->key; /* MEMOIZE counts the numbers that were given */
	*slot = (struct slot){ index + 1, v };
	return 0;
}

static int
get(struct machine *m, uint64_t index, struct phi_err *err)
{
	const struct slot *const slot =
		m->memo ? find_slot(m->memo, m->memo_size, index + 1) : NULL;
	if (slot && slot->key)
		return push(m, slot->value, err);
	fault(m);
	if (m->ended)
		return 0;
	return say_form(m, PHI_RULE_MEMO, err, "a memo number that was never given") ? -1
		: push_kind(m, ANYTHING, err);
}

/* Python's int() takes spaces, signs and underscores too. */
static int
memo_line(struct machine *m, const struct operand *o, bool putting, struct phi_err *err)
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
		fault(m);
	if (odd) {
		if (!m->ended && say_form(m, PHI_RULE_MEMO, err, "a memo number spelt oddly"))
			return -1;
	}
	if (m->ended)
		return 0;
	return putting ? put(m, index, err) : get(m, index, err);
}

/* A loader that finds no number stops; lines of text are none. */
static int
number(struct machine *m, const struct operand *o, struct phi_err *err)
{
	char c = '\0';
	if (o->size && phi_scan_read(m->in, o->at, &c, 1, err))
		return -1;
	if (!m->r->proven && (!c || !strchr("0123456789+-. \tinIN", c)))
		fault(m);
	return push_kind(m, PLAIN, err);
}

/* Strings */

/* Is there anything in it that would make a pickle of it do something? */
static bool
may_load(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] == '\n' || p[i] == 0x93 || (p[i] >= 0x82 && p[i] <= 0x84) ||
			(p[i] == 'P' && i + 1 < n && p[i + 1] == 'K') || p[i] == 0x1F || p[i] == 0x78)
			return true;
	return false;
}

/* The characters of a string stand for bytes where all are below 256 (Latin-1): returns how many. */
static size_t
to_latin1(uint8_t *p, size_t n)
{
	size_t to = 0;
	for (size_t i = 0; i < n; i++) {
		if (p[i] < 0x80) {
			p[to++] = p[i];
		} else if ((p[i] == 0xC2 || p[i] == 0xC3) && i + 1 < n && (p[i + 1] & 0xC0) == 0x80) {
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
decode(uint8_t *bytes, size_t n, enum spelling spelling)
{
	if (spelling != AS_IS)
		return memchr(bytes, '\\', n) ? unescape((char *)bytes, n, spelling, false) : SIZE_MAX;
	return memchr(bytes, 0xC2, n) || memchr(bytes, 0xC3, n) ? to_latin1(bytes, n) : SIZE_MAX;
}

static int
decoded_literal(struct machine *m, const struct phi_scan_input *part, enum spelling spelling,
	struct phi_err *err)
{
	if (part->size > PHI_SCAN_LITERAL_MAX)
		return phi_scan_emit(m->s, part, PHI_RULE_LIMIT, 0, err,
			"a string longer than %d bytes", PHI_SCAN_LITERAL_MAX);
	uint8_t *const bytes = phi_alloc((size_t)part->size, err);
	int result = bytes ? phi_scan_read(part, 0, bytes, (size_t)part->size, err) : -1;
	const size_t n = result ? SIZE_MAX : decode(bytes, (size_t)part->size, spelling);
	if (n != SIZE_MAX && n >= LITERAL_LEAST && may_load(bytes, n)) {
		const struct phi_scan_input inner = { .memory = bytes, .size = n, .entry = part->entry,
			.origin = part->origin, .frozen = true, .literal = true,
			.depth = part->depth };
		result = phi_scan_content(m->s, &inner, err);
	}
	phi_free(bytes);
	return result;
}

/* What a string or bytes of a pickle hold may be a pickle again. */
static int
literal(struct machine *m, uint64_t at, uint64_t size, enum spelling spelling, bool text,
	struct phi_err *err)
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
	if (size <= PHI_SCAN_WINDOW && !may_load(p, (size_t)size) && !memchr(p, '\\', (size_t)size) &&
		!phi_scan_is_base64(p, (size_t)size))
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

static int
string(struct machine *m, const struct operand *o, enum spelling spelling, struct phi_err *err)
{
	struct value v = { .kind = TEXT, .spelling = (uint8_t)spelling, .at = o->at,
		.size = o->size < UINT32_MAX ? (uint32_t)o->size : UINT32_MAX };
	if (spelling == ESCAPED) {
		char ends[2] = { 0 };
		if (o->size && (phi_scan_read(m->in, o->at, &ends[0], 1, err) ||
				       phi_scan_read(m->in, o->at + o->size - 1, &ends[1], 1, err)))
			return -1;
		if (o->size < 2 || (ends[0] != '\'' && ends[0] != '"') || ends[0] != ends[1]) {
			fault(m);
		} else {
			v.at++;
			v.size -= 2;
		}
	}
	if (literal(m, v.at, v.size, spelling, true, err))
		return -1;
	return push(m, v, err);
}

/* Opcodes */

static int
proto(struct machine *m, uint64_t version, struct phi_err *err)
{
	if (version > 5) {
		fault(m);
		return m->ended ? 0 : say_form(m, PHI_RULE_PROTOCOL, err, "a protocol beyond 5");
	}
	if (m->op == m->start)
		m->r->headed = true;
	else
		return say_form(m, PHI_RULE_PROTOCOL, err, "the protocol is named late, or twice");
	return 0;
}

/* Frames follow each other; an opcode's bytes do not pass a frame's end. */
static int
check_frame(struct machine *m, const struct opcode *o, const struct operand *a, struct phi_err *err)
{
	const bool crosses = m->framed && m->op < m->frame_end && m->at > m->frame_end;
	int result = 0;
	if (crosses)
		result = say_form(m, PHI_RULE_FRAME, err, "an opcode crosses the end of its frame");
	if (o->effect != DO_FRAME || m->ended)
		return result;
	if (m->framed && m->op < m->frame_end && !crosses && !result)
		result = say_form(m, PHI_RULE_FRAME, err, "a frame inside a frame");
	/* Eight bytes that happen to be a length are rare. */
	if (m->r->headed && m->r->steps == 1 && a->number >> 32 == 0 && prove(m, err))
		return -1;
	if (a->number > m->in->size - m->at) {
		fault(m);
		if (!m->ended && !result)
			result = say_form(m, PHI_RULE_FRAME, err, "a frame beyond the end");
	}
	m->framed = true;
	m->frame_end = a->number <= m->in->size - m->at ? m->at + a->number : m->in->size;
	return result;
}

static int
inst(struct machine *m, const struct operand *a, struct phi_err *err)
{
	struct value first;
	if (global_lines(m, a, err))
		return -1;
	const struct value class = pop(m);
	pop_mark(m, &first);
	return m->ended ? 0 : call(m, class, err);
}

static int
run_call(struct machine *m, unsigned operands, struct phi_err *err)
{
	for (unsigned i = 0; i < operands; i++)
		(void)pop(m);
	const struct value callee = pop(m);
	return m->ended ? 0 : call(m, callee, err);
}

static int
extension(struct machine *m, uint64_t code, struct phi_err *err)
{
	m->r->globals += !m->hidden;
	return say(m, PHI_RULE_EXTENSION, err, "extension %" PRIu64 " of the loader's registry", code) ||
			push_kind(m, ANYTHING, err) ? -1 : 0;
}

static int
tuple(struct machine *m, unsigned n, struct phi_err *err)
{
	while (n--)
		(void)pop(m);
	return push_kind(m, PLAIN, err);
}

static int
stop(struct machine *m, struct phi_err *err)
{
	(void)pop(m);
	if (m->ended)
		return 0;
	m->r->stopped = m->ended = true;
	return prove(m, err);
}

/* What each opcode does. Longer than other functions, as it is a table. */
static int
act(struct machine *m, const struct opcode *o, uint8_t code, const struct operand *a,
	struct phi_err *err)
{
	struct value v;
	switch ((enum effect)o->effect) {
	case DO_PROTO: return proto(m, a->number, err);
	case DO_FRAME:
	case DO_NOTHING: return 0;
	case DO_STOP: return stop(m, err);
	case DO_MARK: return mark(m, err);
	case DO_POP:
		if (m->nmarks && m->height == fence(m))
			m->nmarks--;
		else
			(void)pop(m);
		return 0;
	case DO_POP_MARK: pop_mark(m, &v); return 0;
	case DO_DUP: v = top(m); return m->ended ? 0 : push(m, v, err);
	case DO_PUSH: return push_kind(m, PLAIN, err);
	case DO_NUMBER: return number(m, a, err);
	case DO_QUOTED: return string(m, a, ESCAPED, err);
	case DO_UNICODE: return string(m, a, RAW_UNICODE, err);
	case DO_STRING: return string(m, a, AS_IS, err);
	case DO_BYTESTRING:
		return literal(m, a->at, a->size, AS_IS, false, err) || push_kind(m, PLAIN, err) ? -1 : 0;
	case DO_COLLECT: pop_mark(m, &v); return push_kind(m, PLAIN, err);
	case DO_TUPLE: return tuple(m, code - 0x84u, err);
	case DO_APPEND: (void)pop(m); return modify(m, false, err);
	case DO_SETITEM: (void)pop(m); (void)pop(m); return modify(m, true, err);
	case DO_APPENDS: pop_mark(m, &v); return modify(m, code == 'u', err);
	case DO_GLOBAL: return global_lines(m, a, err);
	case DO_INST: return inst(m, a, err);
	case DO_STACK_GLOBAL: return stack_global(m, err);
	case DO_EXTENSION: return extension(m, a->number, err);
	case DO_CALL: return run_call(m, 1, err);
	case DO_CALL_KEYS: return run_call(m, 2, err);
	case DO_OBJ: pop_mark(m, &v); return m->ended ? 0 : call(m, v, err);
	case DO_BUILD: return build(m, err);
	case DO_PERSISTENT_LINE: return push_kind(m, OUTSIDE, err);
	case DO_PERSISTENT: (void)pop(m); return push_kind(m, OUTSIDE, err);
	case DO_PUT_LINE: return memo_line(m, a, true, err);
	case DO_PUT: return put(m, a->number, err);
	case DO_MEMOIZE: return put(m, m->memo_used, err);
	case DO_GET_LINE: return memo_line(m, a, false, err);
	case DO_GET: return get(m, a->number, err);
	}
	return 0;
}

/* torch begins its old files with a pickle of this number. */
static bool
is_magic(struct machine *m, const struct opcode *o, uint8_t code, const struct operand *a)
{
	static const uint8_t magic[] = { 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19 };
	uint8_t bytes[sizeof magic];
	return o->form == FORM_COUNT && code == 0x8A && a->size == sizeof magic &&
	       !phi_scan_read(m->in, a->at, bytes, sizeof bytes, NULL) &&
	       !memcmp(bytes, magic, sizeof magic);
}

static int
step(struct machine *m, struct phi_err *err)
{
	uint8_t code = 0;
	struct operand a;
	m->op = m->at;
	if (take_byte(m, &code, err))
		return -1;
	const struct opcode *const o = &opcodes[code];
	if (m->ended || o->form == FORM_BAD) {
		m->broken = m->ended = true;
		m->at = m->op;
		return 0;
	}
	if (take_operand(m, o, &a, err))
		return -1;
	/* A global whose second line ends with the text is loaded before the loader notices. */
	const bool last = m->ended && o->form == FORM_LINES && a.size2;
	if (m->ended && !last)
		return 0;
	if (check_frame(m, o, &a, err))
		return -1;
	m->r->steps++;
	if (m->r->steps == 2)
		m->r->magic = is_magic(m, o, code, &a);
	if (act(m, o, code, &a, err))
		return -1;
	m->since += m->named && !m->broken && o->form != FORM_LINES;
	const bool proof = m->since >= PROVEN_SINCE || (m->r->headed && m->r->steps >= PROVEN_STEPS);
	return proof && !m->broken ? prove(m, err) : 0;
}

static int
run(struct machine *m, struct phi_err *err)
{
	while (!m->ended) {
		if (!m->s->steps) {
			m->ended = true;
			if (m->s->full)
				return 0;
			m->s->full = true;
			return phi_scan_emit(m->s, m->in, PHI_RULE_LIMIT, m->at, err,
				"more than %d opcodes; what is left was not looked at", PHI_SCAN_STEPS_MAX);
		}
		m->s->steps--;
		if (step(m, err))
			return -1;
	}
	if (m->deep && m->r->proven && phi_scan_emit(m->s, m->in, PHI_RULE_DEPTH, m->start, err,
		"pickles in strings of pickles, deeper than %d", PHI_SCAN_DEPTH_MAX))
		return -1;
	if (m->cut && m->harm && !m->hidden && prove(m, err))
		return -1;
	if (m->broken && !m->r->stopped && m->r->proven && !m->hidden)
		return say(m, PHI_RULE_BROKEN, err, "the pickle that begins at %" PRIu64
			" breaks off here; what comes before would have run", m->start);
	return 0;
}

int
phi_scan_pickle(struct phi_scan *s, const struct phi_scan_input *in, uint64_t at, bool hidden,
	struct phi_scan_pickle *result, struct phi_err *err)
{
	struct pending pending[PENDING_MAX];
	struct machine m = { .s = s, .in = in, .window = { .in = in }, .start = at, .at = at,
		.pending = pending,
		.hidden = hidden, .r = result };
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
