/* The byte picture: a pickle is a program, one byte an opcode, each followed by its argument:
 * nothing, a little-endian number, a length and bytes, or a line. It ends with '.'. */
#include "formats/pytorch/pickle.h"

#include "formats/core/bytes.h"
#include "formats/core/memory.h"

#include <string.h>

struct machine {
	struct phi_arena *arena;
	const uint8_t *text;
	size_t size, at, op; /* op: where the opcode being run stands */
	struct phi_pickle **stack;
	size_t height, stack_capacity;
	size_t *marks; /* heights of the stack at each open MARK */
	size_t nmarks, marks_capacity;
	struct phi_pickle **memo;
	size_t memo_size, memo_next;
	size_t nodes;
	struct phi_pickle *none, *yes, *no;
	struct phi_pickle *persistent, *last; /* the chain of persistent ids */
	bool stopped;
};

/* Input */

static int
bad(const struct machine *m, const char *what, struct phi_err *err)
{
	return phi_fail(err, PHI_FORMAT, "pickle byte %zu: %s", m->op, what);
}

static int
cut(const struct machine *m, struct phi_err *err)
{
	if (m->size == PHI_PICKLE_MAX)
		return phi_fail(err, PHI_LIMIT, "pickle larger than %d bytes", PHI_PICKLE_MAX);
	return phi_fail(err, PHI_TRUNCATED, "pickle byte %zu: the text ends (%zu)", m->op, m->size);
}

/* The next n bytes, or NULL. */
static const uint8_t *
take(struct machine *m, uint64_t n, struct phi_err *err)
{
	if (n > m->size - m->at) {
		cut(m, err);
		return NULL;
	}
	const uint8_t *const p = m->text + m->at;
	m->at += (size_t)n;
	return p;
}

/* A little-endian number of n bytes. */
static int
take_number(struct machine *m, unsigned n, uint64_t *out, struct phi_err *err)
{
	const uint8_t *const p = take(m, n, err);
	if (!p)
		return -1;
	*out = 0;
	for (unsigned i = 0; i < n; i++)
		*out |= (uint64_t)p[i] << 8 * i;
	return 0;
}

/* A line without its newline. */
static int
take_line(struct machine *m, struct phi_string *line, struct phi_err *err)
{
	const uint8_t *const start = m->text + m->at;
	const uint8_t *const end = memchr(start, '\n', m->size - m->at);
	if (!end)
		return cut(m, err);
	*line = (struct phi_string){ (const char *)start, (size_t)(end - start) };
	m->at += line->size + 1;
	return 0;
}

/* Nodes and the stack */

static struct phi_pickle *
new_node(struct machine *m, enum phi_pickle_kind kind, struct phi_err *err)
{
	if (m->nodes == PHI_PICKLE_NODES_MAX) {
		phi_fail(err, PHI_LIMIT, "pickle byte %zu: more than %d values", m->op,
			PHI_PICKLE_NODES_MAX);
		return NULL;
	}
	struct phi_pickle *const node = phi_arena_calloc(m->arena, 1, sizeof *node, err);
	if (!node)
		return NULL;
	m->nodes++;
	node->kind = kind;
	return node;
}

static int
push(struct machine *m, struct phi_pickle *node, struct phi_err *err)
{
	if (!node)
		return -1;
	if (m->height == PHI_PICKLE_STACK_MAX)
		return phi_fail(err, PHI_LIMIT, "pickle byte %zu: more than %d values on the stack",
			m->op, PHI_PICKLE_STACK_MAX);
	if (phi_grow(&m->stack, &m->stack_capacity, m->height, sizeof *m->stack, err))
		return -1;
	m->stack[m->height++] = node;
	return 0;
}

static int
push_new(struct machine *m, enum phi_pickle_kind kind, struct phi_err *err)
{
	return push(m, new_node(m, kind, err), err);
}

static int
push_int(struct machine *m, int64_t i, struct phi_err *err)
{
	struct phi_pickle *const node = new_node(m, PHI_PICKLE_INT, err);
	if (node)
		node->i = i;
	return push(m, node, err);
}

static int
push_text(struct machine *m, enum phi_pickle_kind kind, const void *data, size_t size,
	struct phi_err *err)
{
	struct phi_pickle *const node = new_node(m, kind, err);
	if (node)
		node->string = (struct phi_string){ data, size };
	return push(m, node, err);
}

/* Height below which the innermost open MARK forbids to pop. */
static size_t
fence(const struct machine *m)
{
	return m->nmarks ? m->marks[m->nmarks - 1] : 0;
}

/* Takes n nodes off the stack; they stay where they are until the next push. NULL: not that many.
 */
static struct phi_pickle **
pop(struct machine *m, size_t n, struct phi_err *err)
{
	if (m->height - fence(m) < n) {
		bad(m, "the stack is empty", err);
		return NULL;
	}
	m->height -= n;
	return m->stack + m->height;
}

/* Takes all above the innermost MARK, and the MARK. */
static struct phi_pickle **
pop_mark(struct machine *m, size_t *n, struct phi_err *err)
{
	if (!m->nmarks) {
		bad(m, "no mark on the stack", err);
		return NULL;
	}
	const size_t base = m->marks[--m->nmarks];
	*n = m->height - base;
	m->height = base;
	/* Never NULL, even before the stack has memory: there may be nothing above the mark. */
	static struct phi_pickle *nothing[1];
	return m->stack ? m->stack + base : nothing;
}

/* The node on top, which must be one of the kinds in the mask. */
static struct phi_pickle *
top(const struct machine *m, unsigned kinds, const char *what, struct phi_err *err)
{
	if (m->height > fence(m) && kinds >> m->stack[m->height - 1]->kind & 1)
		return m->stack[m->height - 1];
	bad(m, what, err);
	return NULL;
}

/* Appends nodes to the items of a container; the arrays live in the arena and double. */
static int
append(struct machine *m, struct phi_pickle *to, struct phi_pickle *const *nodes, size_t n,
	struct phi_err *err)
{
	const size_t wanted = to->count + n; /* both limited by the stack and the nodes */
	if (wanted > UINT32_MAX / 2)
		return phi_fail(err, PHI_LIMIT, "pickle byte %zu: too many elements", m->op);
	if (wanted > to->capacity) {
		size_t capacity = to->capacity ? 2 * (size_t)to->capacity : n;
		capacity = capacity < wanted ? wanted : capacity;
		struct phi_pickle **const items =
			phi_arena_calloc(m->arena, capacity, sizeof(struct phi_pickle *), err);
		if (!items)
			return -1;
		if (to->count)
			memcpy(items, to->items, to->count * sizeof(struct phi_pickle *));
		to->items = items;
		to->capacity = (uint32_t)capacity;
	}
	if (n)
		memcpy(to->items + to->count, nodes, n * sizeof(struct phi_pickle *));
	to->count = (uint32_t)wanted;
	return 0;
}

/* Replaces the n nodes just popped by a container of them. */
static int
collect(struct machine *m, enum phi_pickle_kind kind, struct phi_pickle *const *nodes, size_t n,
	struct phi_err *err)
{
	struct phi_pickle *const node = nodes ? new_node(m, kind, err) : NULL;
	if (!node || append(m, node, nodes, n, err))
		return -1;
	return push(m, node, err);
}

static int
collect_marked(struct machine *m, enum phi_pickle_kind kind, struct phi_err *err)
{
	size_t n = 0;
	struct phi_pickle *const *const nodes = pop_mark(m, &n, err);
	if (nodes && kind == PHI_PICKLE_DICT && n % 2)
		return bad(m, "a key without a value", err);
	return collect(m, kind, nodes, n, err);
}

/* Calls, which stay symbols */

static int
push_object(struct machine *m, struct phi_pickle *callable, struct phi_pickle *args,
	struct phi_err *err)
{
	if (args->kind != PHI_PICKLE_TUPLE)
		return bad(m, "arguments of a call are no tuple", err);
	struct phi_pickle *const node = new_node(m, PHI_PICKLE_OBJECT, err);
	struct phi_pickle_object *const object =
		node ? phi_arena_calloc(m->arena, 1, sizeof *object, err) : NULL;
	if (!object)
		return -1;
	object->callable = callable;
	object->args = args;
	node->object = object;
	return push(m, node, err);
}

/* REDUCE, NEWOBJ: callable and arguments. NEWOBJ_EX has keyword arguments above them, dropped. */
static int
call(struct machine *m, unsigned operands, struct phi_err *err)
{
	struct phi_pickle **const p = pop(m, operands, err);
	return p ? push_object(m, p[0], p[1], err) : -1;
}

/* OBJ: everything above the mark: the class, then its arguments. INST: the class was in the text.
 */
static int
call_marked(struct machine *m, struct phi_pickle *class, struct phi_err *err)
{
	size_t n = 0;
	struct phi_pickle *const *const nodes = pop_mark(m, &n, err);
	struct phi_pickle *const args = nodes ? new_node(m, PHI_PICKLE_TUPLE, err) : NULL;
	if (!args)
		return -1;
	const size_t first = class ? 0 : 1;
	if (n < first)
		return bad(m, "no class above the mark", err);
	if (append(m, args, nodes + first, n - first, err))
		return -1;
	return push_object(m, class ? class : nodes[0], args, err);
}

static struct phi_pickle *
new_global(struct machine *m, struct phi_string module, struct phi_string name, struct phi_err *err)
{
	struct phi_pickle *const node = new_node(m, PHI_PICKLE_GLOBAL, err);
	char *const text =
		node ? phi_arena_alloc(m->arena, module.size + name.size + 2, err) : NULL;
	if (!text)
		return NULL;
	memcpy(text, module.data, module.size);
	text[module.size] = ' ';
	memcpy(text + module.size + 1, name.data, name.size);
	node->string = (struct phi_string){ text, module.size + 1 + name.size };
	text[node->string.size] = '\0';
	return node;
}

/* GLOBAL and INST: two lines. */
static struct phi_pickle *
take_global(struct machine *m, struct phi_err *err)
{
	struct phi_string module, name;
	if (take_line(m, &module, err) || take_line(m, &name, err))
		return NULL;
	return new_global(m, module, name, err);
}

static int
stack_global(struct machine *m, struct phi_err *err)
{
	struct phi_pickle **const p = pop(m, 2, err);
	if (!p)
		return -1;
	if (p[0]->kind != PHI_PICKLE_STRING || p[1]->kind != PHI_PICKLE_STRING)
		return bad(m, "a global whose name is no string", err);
	return push(m, new_global(m, p[0]->string, p[1]->string, err), err);
}

static int
push_extension(struct machine *m, unsigned bytes, struct phi_err *err)
{
	uint64_t code;
	if (take_number(m, bytes, &code, err))
		return -1;
	static const struct phi_string module = { "copyreg", 7 }, name = { "extension", 9 };
	return push(m, new_global(m, module, name, err), err);
}

static int
push_persistent(struct machine *m, struct phi_pickle *id, struct phi_err *err)
{
	if (!id || collect(m, PHI_PICKLE_PERSISTENT, &id, 1, err))
		return -1;
	struct phi_pickle *const node = m->stack[m->height - 1];
	*(m->last ? &m->last->next : &m->persistent) = node;
	m->last = node;
	return 0;
}

static int
persid_line(struct machine *m, struct phi_err *err)
{
	struct phi_string line;
	struct phi_pickle *const id =
		take_line(m, &line, err) ? NULL : new_node(m, PHI_PICKLE_STRING, err);
	if (id)
		id->string = line;
	return push_persistent(m, id, err);
}

/* What changes the node on top */

static const unsigned appendable = 1u << PHI_PICKLE_LIST | 1u << PHI_PICKLE_OBJECT;
static const unsigned settable = 1u << PHI_PICKLE_DICT | 1u << PHI_PICKLE_OBJECT;

static int
append_to_top(struct machine *m, struct phi_pickle *const *nodes, size_t n, struct phi_err *err)
{
	struct phi_pickle *to = nodes ? top(m, appendable, "no list to append to", err) : NULL;
	if (!to)
		return -1;
	if (to->kind == PHI_PICKLE_OBJECT) {
		if (!to->object->list)
			to->object->list = new_node(m, PHI_PICKLE_LIST, err);
		to = to->object->list;
	}
	return to ? append(m, to, nodes, n, err) : -1;
}

static int
set_items(struct machine *m, struct phi_pickle *const *nodes, size_t n, struct phi_err *err)
{
	if (nodes && n % 2)
		return bad(m, "a key without a value", err);
	struct phi_pickle *const to =
		nodes ? top(m, settable, "no dict to set items of", err) : NULL;
	return to ? append(m, to, nodes, n, err) : -1;
}

static int
add_items(struct machine *m, struct phi_err *err)
{
	size_t n = 0;
	struct phi_pickle *const *const nodes = pop_mark(m, &n, err);
	struct phi_pickle *const to =
		nodes ? top(m, 1u << PHI_PICKLE_SET, "no set to add to", err) : NULL;
	return to ? append(m, to, nodes, n, err) : -1;
}

/* BUILD: the state of an object. What else it may act on is none of what we understand. */
static int
build(struct machine *m, struct phi_err *err)
{
	struct phi_pickle **const state = pop(m, 1, err);
	if (!state)
		return -1;
	if (m->height == fence(m))
		return bad(m, "nothing to build", err);
	struct phi_pickle *const to = m->stack[m->height - 1];
	if (to->kind == PHI_PICKLE_OBJECT)
		to->object->state = *state;
	return 0;
}

/* The memo */

/* Picklers number from 0 on and spend two bytes a number: a number beyond the text's size is none.
 */
static int
memo_put(struct machine *m, uint64_t index, struct phi_err *err)
{
	if (m->height == fence(m))
		return bad(m, "nothing to memorize", err);
	if (index >= m->size)
		return phi_fail(err, PHI_LIMIT,
			"pickle byte %zu: memo number beyond the text's size", m->op);
	if (index >= m->memo_size) {
		size_t wanted = m->memo_size ? 2 * m->memo_size : 256;
		wanted = wanted <= index ? (size_t)index + 1 : wanted;
		struct phi_pickle **const memo = phi_realloc(m->memo, wanted, sizeof *memo, err);
		if (!memo)
			return -1;
		memset(memo + m->memo_size, 0, (wanted - m->memo_size) * sizeof *memo);
		m->memo = memo;
		m->memo_size = wanted;
	}
	m->memo[index] = m->stack[m->height - 1];
	if (m->memo_next <= index)
		m->memo_next = (size_t)index + 1;
	return 0;
}

static int
memo_get(struct machine *m, uint64_t index, struct phi_err *err)
{
	if (index >= m->memo_size || !m->memo[index])
		return bad(m, "a memo number that was never given", err);
	return push(m, m->memo[index], err);
}

static int
line_number(const struct machine *m, struct phi_string line, uint64_t *out, struct phi_err *err)
{
	uint64_t v = 0;
	for (size_t i = 0; i < line.size; i++) {
		if (line.data[i] < '0' || line.data[i] > '9' || v > UINT32_MAX)
			return bad(m, "not a memo number", err);
		v = 10 * v + (uint64_t)(line.data[i] - '0');
	}
	*out = v;
	return line.size ? 0 : bad(m, "not a memo number", err);
}

static int
memo_number(struct machine *m, unsigned bytes, bool put, struct phi_err *err)
{
	uint64_t index;
	struct phi_string line;
	if (bytes ? take_number(m, bytes, &index, err)
		  : take_line(m, &line, err) || line_number(m, line, &index, err))
		return -1;
	return put ? memo_put(m, index, err) : memo_get(m, index, err);
}

/* Numbers and strings */

static int
int_line(struct machine *m, struct phi_err *err)
{
	struct phi_string line;
	if (take_line(m, &line, err))
		return -1;
	if (line.size == 2 && line.data[0] == '0' && (line.data[1] == '0' || line.data[1] == '1'))
		return push(m, line.data[1] == '1' ? m->yes : m->no, err);
	if (line.size && line.data[line.size - 1] == 'L')
		line.size--;
	const bool negative = line.size && *line.data == '-';
	int64_t v = 0;
	for (size_t i = negative; i < line.size; i++) {
		const int digit = line.data[i] - '0';
		if (digit < 0 || digit > 9)
			return bad(m, "not an integer", err);
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, digit, &v))
			return push_text(m, PHI_PICKLE_BIG, line.data, line.size, err);
	}
	if (line.size == negative)
		return bad(m, "not an integer", err);
	if (!negative && v == INT64_MIN)
		return push_text(m, PHI_PICKLE_BIG, line.data, line.size, err);
	return push_int(m, negative ? v : -v, err);
}

/* LONG1, LONG4: two's complement of any length. */
static int
long_bytes(struct machine *m, unsigned length, struct phi_err *err)
{
	uint64_t n;
	if (take_number(m, length, &n, err))
		return -1;
	const uint8_t *const p = n > INT32_MAX ? NULL : take(m, n, err);
	if (!p)
		return n > INT32_MAX ? bad(m, "negative length", err) : -1;
	if (n > 8)
		return push_text(m, PHI_PICKLE_BIG, p, (size_t)n, err);
	uint64_t v = n && p[n - 1] & 0x80 ? UINT64_MAX : 0;
	for (uint64_t i = n; i-- > 0;)
		v = v << 8 | p[i];
	return push_int(m, (int64_t)v, err);
}

static int
counted(struct machine *m, unsigned length, enum phi_pickle_kind kind, struct phi_err *err)
{
	uint64_t n;
	const uint8_t *const p = take_number(m, length, &n, err) ? NULL : take(m, n, err);
	return p ? push_text(m, kind, p, (size_t)n, err) : -1;
}

/* STRING, UNICODE: a line; quotes are taken off, escapes stay as they are spelt. */
static int
text_line(struct machine *m, bool quoted, enum phi_pickle_kind kind, struct phi_err *err)
{
	struct phi_string line;
	if (take_line(m, &line, err))
		return -1;
	if (quoted) {
		if (line.size < 2 || (line.data[0] != '\'' && line.data[0] != '"') ||
			line.data[line.size - 1] != line.data[0])
			return bad(m, "a string without quotes", err);
		line.data++;
		line.size -= 2;
	}
	return push_text(m, kind, line.data, line.size, err);
}

static int
number(struct machine *m, unsigned bytes, struct phi_err *err)
{
	uint64_t v;
	if (take_number(m, bytes, &v, err))
		return -1;
	return push_int(m, bytes == 4 ? (int32_t)(uint32_t)v : (int64_t)v, err);
}

/* The only big-endian number in a pickle. */
static int
binary_float(struct machine *m, struct phi_err *err)
{
	const uint8_t *const p = take(m, 8, err);
	struct phi_pickle *const node = p ? new_node(m, PHI_PICKLE_FLOAT, err) : NULL;
	if (!node)
		return -1;
	uint64_t bits = 0;
	for (int i = 0; i < 8; i++)
		bits = bits << 8 | p[i];
	node->f = phi_float64(bits);
	return push(m, node, err);
}

static int
protocol(struct machine *m, struct phi_err *err)
{
	uint64_t version;
	if (take_number(m, 1, &version, err))
		return -1;
	if (version > 5)
		return phi_fail(err, PHI_UNSUPPORTED, "pickle protocol %u", (unsigned)version);
	return 0;
}

static int
mark(struct machine *m, struct phi_err *err)
{
	if (m->nmarks == PHI_PICKLE_MARKS_MAX)
		return phi_fail(err, PHI_LIMIT, "pickle byte %zu: nested deeper than %d", m->op,
			PHI_PICKLE_MARKS_MAX);
	if (phi_grow(&m->marks, &m->marks_capacity, m->nmarks, sizeof *m->marks, err))
		return -1;
	m->marks[m->nmarks++] = m->height;
	return 0;
}

/* POP takes a mark too, if there is nothing above it. */
static int
pop_one(struct machine *m, struct phi_err *err)
{
	if (m->nmarks && m->height == fence(m)) {
		m->nmarks--;
		return 0;
	}
	return pop(m, 1, err) ? 0 : -1;
}

static int
duplicate(struct machine *m, struct phi_err *err)
{
	return m->height > fence(m) ? push(m, m->stack[m->height - 1], err)
				    : bad(m, "nothing to repeat", err);
}

static int
one_item(struct machine *m,
	int (*put)(struct machine *, struct phi_pickle *const *, size_t, struct phi_err *),
	size_t n, struct phi_err *err)
{
	struct phi_pickle *const *const p = pop(m, n, err);
	return p ? put(m, p, n, err) : -1;
}

static int
marked_items(struct machine *m,
	int (*put)(struct machine *, struct phi_pickle *const *, size_t, struct phi_err *),
	struct phi_err *err)
{
	size_t n = 0;
	struct phi_pickle *const *const p = pop_mark(m, &n, err);
	return p ? put(m, p, n, err) : -1;
}

static int
frame(struct machine *m, struct phi_err *err)
{
	uint64_t n;
	if (take_number(m, 8, &n, err))
		return -1;
	return n <= m->size - m->at ? 0 : cut(m, err);
}

/* The table of opcodes. Longer than other functions, as it is a table. */
/* clang-format off */
static int
step(struct machine *m, struct phi_err *err)
{
	struct phi_pickle **p;
	struct phi_pickle *class;
	size_t n;
	switch (m->text[m->at++]) {
	case 0x80: return protocol(m, err);
	case 0x95: return frame(m, err);
	case '.': m->stopped = true; return 0;
	case '(': return mark(m, err);
	case '0': return pop_one(m, err);
	case '1': return pop_mark(m, &n, err) ? 0 : -1;
	case '2': return duplicate(m, err);
	/* constants and numbers */
	case 'N': return push(m, m->none, err);
	case 0x88: return push(m, m->yes, err);
	case 0x89: return push(m, m->no, err);
	case 'J': return number(m, 4, err);
	case 'K': return number(m, 1, err);
	case 'M': return number(m, 2, err);
	case 'I':
	case 'L': return int_line(m, err);
	case 0x8A: return long_bytes(m, 1, err);
	case 0x8B: return long_bytes(m, 4, err);
	case 'G': return binary_float(m, err);
	case 'F': return text_line(m, false, PHI_PICKLE_BIG, err);
	/* strings and bytes */
	case 'S': return text_line(m, true, PHI_PICKLE_STRING, err);
	case 'V': return text_line(m, false, PHI_PICKLE_STRING, err);
	case 'U':
	case 0x8C: return counted(m, 1, PHI_PICKLE_STRING, err);
	case 'T':
	case 'X': return counted(m, 4, PHI_PICKLE_STRING, err);
	case 0x8D: return counted(m, 8, PHI_PICKLE_STRING, err);
	case 'C': return counted(m, 1, PHI_PICKLE_BYTES, err);
	case 'B': return counted(m, 4, PHI_PICKLE_BYTES, err);
	case 0x8E:
	case 0x96: return counted(m, 8, PHI_PICKLE_BYTES, err);
	/* containers */
	case '}': return push_new(m, PHI_PICKLE_DICT, err);
	case ']': return push_new(m, PHI_PICKLE_LIST, err);
	case ')': return push_new(m, PHI_PICKLE_TUPLE, err);
	case 0x8F: return push_new(m, PHI_PICKLE_SET, err);
	case 'd': return collect_marked(m, PHI_PICKLE_DICT, err);
	case 'l': return collect_marked(m, PHI_PICKLE_LIST, err);
	case 't': return collect_marked(m, PHI_PICKLE_TUPLE, err);
	case 0x91: return collect_marked(m, PHI_PICKLE_SET, err);
	case 0x85:
	case 0x86:
	case 0x87:
		n = (size_t)(m->text[m->op] - 0x84);
		return collect(m, PHI_PICKLE_TUPLE, pop(m, n, err), n, err);
	case 'a': return one_item(m, append_to_top, 1, err);
	case 's': return one_item(m, set_items, 2, err);
	case 'e': return marked_items(m, append_to_top, err);
	case 'u': return marked_items(m, set_items, err);
	case 0x90: return add_items(m, err);
	/* globals and calls */
	case 'c': return push(m, take_global(m, err), err);
	case 0x93: return stack_global(m, err);
	case 0x82: return push_extension(m, 1, err);
	case 0x83: return push_extension(m, 2, err);
	case 0x84: return push_extension(m, 4, err);
	case 'R':
	case 0x81: return call(m, 2, err);
	case 0x92: return call(m, 3, err);
	case 'o': return call_marked(m, NULL, err);
	case 'i':
		class = take_global(m, err);
		return class ? call_marked(m, class, err) : -1;
	case 'b': return build(m, err);
	case 'P': return persid_line(m, err);
	case 'Q':
		p = pop(m, 1, err);
		return push_persistent(m, p ? *p : NULL, err);
	/* the memo */
	case 'p': return memo_number(m, 0, true, err);
	case 'q': return memo_number(m, 1, true, err);
	case 'r': return memo_number(m, 4, true, err);
	case 0x94: return memo_put(m, m->memo_next, err);
	case 'g': return memo_number(m, 0, false, err);
	case 'h': return memo_number(m, 1, false, err);
	case 'j': return memo_number(m, 4, false, err);
	case 0x97:
	case 0x98: return phi_fail(err, PHI_UNSUPPORTED, "pickle with buffers outside of it");
	default: return bad(m, "no opcode", err);
	}
}
/* clang-format on */

static const struct phi_pickle *
run(struct machine *m, struct phi_err *err)
{
	m->none = new_node(m, PHI_PICKLE_NONE, err);
	m->yes = new_node(m, PHI_PICKLE_BOOL, err);
	m->no = new_node(m, PHI_PICKLE_BOOL, err);
	if (!m->none || !m->yes || !m->no)
		return NULL;
	m->yes->b = true;
	while (!m->stopped) {
		m->op = m->at;
		if (m->at == m->size) {
			cut(m, err);
			return NULL;
		}
		if (step(m, err))
			return NULL;
	}
	struct phi_pickle *const *const result = pop(m, 1, err);
	return result ? *result : NULL;
}

int
phi_pickle_run(struct phi_arena *arena, const void *text, size_t size, struct phi_pickle_tree *tree,
	struct phi_err *err)
{
	struct machine m = { .arena = arena, .text = text, .size = size };
	if (size > PHI_PICKLE_MAX)
		m.size = PHI_PICKLE_MAX;
	const struct phi_pickle *const root = run(&m, err);
	phi_free(m.stack);
	phi_free(m.marks);
	phi_free(m.memo);
	*tree = (struct phi_pickle_tree){ .root = root, .persistent = m.persistent, .used = m.at };
	return root ? 0 : -1;
}

bool
phi_pickle_is_global(const struct phi_pickle *node, const char *name)
{
	return node && node->kind == PHI_PICKLE_GLOBAL && node->string.size == strlen(name) &&
	       !memcmp(node->string.data, name, node->string.size);
}

bool
phi_pickle_is_string(const struct phi_pickle *node, const char *text)
{
	return node && node->kind == PHI_PICKLE_STRING && node->string.size == strlen(text) &&
	       !memcmp(node->string.data, text, node->string.size);
}

const struct phi_pickle *
phi_pickle_item(const struct phi_pickle *node, uint32_t i)
{
	const bool indexed =
		node && (node->kind == PHI_PICKLE_TUPLE || node->kind == PHI_PICKLE_LIST);
	return indexed && i < node->count ? node->items[i] : NULL;
}

const struct phi_pickle *
phi_pickle_value(const struct phi_pickle *node, const char *key)
{
	if (!node || (node->kind != PHI_PICKLE_DICT && node->kind != PHI_PICKLE_OBJECT))
		return NULL;
	for (uint32_t i = node->count; i >= 2; i -= 2)
		if (phi_pickle_is_string(node->items[i - 2], key))
			return node->items[i - 1];
	return NULL;
}
