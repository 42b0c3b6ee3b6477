/* The pickle machine: runs a pickle's opcodes on symbols and leaves a tree. Nothing is ever
 * imported, called or built: a global is its name, a call is a node with its callable and its
 * arguments.
 *
 * All opcodes of protocols 0 to 5 are known, but for out-of-band buffers. Nodes may be shared (the
 * memo), so the "tree" may have joins and even cycles: walkers keep a depth and a budget.
 *
 * Source: Python's Lib/pickle.py; facts/pytorch_tf.md 1.3. */
#ifndef PHI_PYTORCH_PICKLE_H
#define PHI_PYTORCH_PICKLE_H

#include "formats/core/arena.h"
#include "formats/core/value.h"

enum {
	PHI_PICKLE_MAX = 64 << 20, /* bytes of one pickle; 100,000 tensors take 15 MiB */
	PHI_PICKLE_NODES_MAX = 4 << 20,
	PHI_PICKLE_STACK_MAX = 1 << 20,
	PHI_PICKLE_MARKS_MAX = 512, /* values open at once: the nesting of the text */
};

enum phi_pickle_kind {
	PHI_PICKLE_NONE,
	PHI_PICKLE_BOOL,
	PHI_PICKLE_INT,
	PHI_PICKLE_BIG, /* an integer beyond 64 bits, or a number as text: its bytes, in string */
	PHI_PICKLE_FLOAT,
	PHI_PICKLE_STRING, /* Python 2's byte strings too; UTF-8 is not promised */
	PHI_PICKLE_BYTES,
	PHI_PICKLE_LIST,
	PHI_PICKLE_TUPLE,
	PHI_PICKLE_SET,
	PHI_PICKLE_DICT,
	PHI_PICKLE_GLOBAL, /* string: "module name" */
	PHI_PICKLE_OBJECT, /* the result of a call, with what was put into it afterwards */
	PHI_PICKLE_PERSISTENT, /* refers to something outside: one item, its id */
};

struct phi_pickle {
	enum phi_pickle_kind kind;
	/* LIST, TUPLE, SET: elements. DICT and OBJECT: keys and values in turn. */
	uint32_t count, capacity;
	union {
		bool b;
		int64_t i;
		double f;
		struct phi_string string;
		struct phi_pickle **items;
	};
	union {
		struct phi_pickle_object *object; /* of an OBJECT */
		struct phi_pickle *next; /* of a PERSISTENT: the next in the text, or NULL */
	};
};

struct phi_pickle_object {
	const struct phi_pickle *callable; /* usually a GLOBAL */
	const struct phi_pickle *args; /* a TUPLE */
	const struct phi_pickle *state; /* what BUILD gave it, or NULL */
	struct phi_pickle *list; /* what APPEND put into it: a LIST, or NULL */
	bool named; /* the walker's mark: a tensor that was met before */
};

/* What a pickle leaves. */
struct phi_pickle_tree {
	const struct phi_pickle *root;
	const struct phi_pickle *persistent; /* the first PERSISTENT of the text, or NULL */
	size_t used; /* bytes, with the STOP */
};

/* Runs the pickle at text[0..size) up to its STOP. The tree lives in the arena; strings are lent by
 * the text. PHI_TRUNCATED: the text ends before STOP. */
int phi_pickle_run(struct phi_arena *arena, const void *text, size_t size,
	struct phi_pickle_tree *tree, struct phi_err *err);

/* Is it the global "module name"? NULL is none. */
bool phi_pickle_is_global(const struct phi_pickle *node, const char *name);
/* Is it a STRING of this text? */
bool phi_pickle_is_string(const struct phi_pickle *node, const char *text);
/* Element i of a TUPLE or LIST, or NULL. */
const struct phi_pickle *phi_pickle_item(const struct phi_pickle *node, uint32_t i);
/* The value of a string key in a DICT or OBJECT, or NULL; the last one given wins. */
const struct phi_pickle *phi_pickle_value(const struct phi_pickle *node, const char *key);

#endif
