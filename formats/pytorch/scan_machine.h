/* The abstract pickle machine of --scan: what its parts share. It runs every opcode, and of each
 * value knows only what it could be for a loader. Where a loader would stop (an empty stack, a memo
 * number that is not there) it goes on with a value that could be anything, since loaders differ;
 * only what cannot be parsed any more ends it.
 *
 * Bytes that happen to be opcodes are everywhere, so nothing is said until it is proven that this
 * is a pickle: a global is called, STOP is reached, some opcodes behind a PROTO or a global make
 * sense. Until then an empty stack ends the run too, as it ends a loader's.
 *
 *     scan_machine.c   findings and when they are proven, the stack, the memo
 *     scan_operand.c   what stands behind an opcode
 *     scan_name.c      globals
 *     scan_literal.c   strings, which may hold pickles
 *     scan_pickle.c    what each opcode does; the run */
#ifndef PHI_PYTORCH_SCAN_MACHINE_H
#define PHI_PYTORCH_SCAN_MACHINE_H

#include "formats/pytorch/scan.h"

enum {
	PHI_SCAN_NAME_BYTES = 512, /* of a module or a name; longer ones are odd */
	PHI_SCAN_PENDING_MAX = 32, /* findings held back until proven; so many are proof */
};

/* What a value could be for a loader. */
enum phi_scan_kind {
	PHI_VALUE_ANYTHING, /* of a call that is not allowed, or of nobody knows what */
	PHI_VALUE_PLAIN, /* numbers, containers, bytes: nothing to call, and no name */
	PHI_VALUE_TEXT, /* a string as it stands in the pickle */
	PHI_VALUE_GLOBAL,
	PHI_VALUE_MADE, /* by a call of an allowed global */
	PHI_VALUE_OUTSIDE, /* of a persistent id: the loader's */
};

enum phi_scan_spelling { PHI_SPELT_AS_IS, PHI_SPELT_ESCAPED, PHI_SPELT_RAW_UNICODE };

struct phi_scan_value {
	uint8_t kind, spelling;
	uint8_t class; /* enum phi_scan_global: of a GLOBAL, or of what MADE it */
	uint32_t size; /* of a TEXT: its bytes at `at` */
	uint64_t at;
};

struct phi_scan_slot {
	uint64_t key; /* number + 1; 0: free */
	struct phi_scan_value value;
};

struct phi_scan_pending {
	enum phi_scan_rule rule;
	uint64_t at;
	char text[400];
};

struct phi_machine {
	struct phi_scan *s;
	const struct phi_scan_input *in;
	struct phi_scan_window window;
	uint64_t start, at, op; /* op: where the opcode being run stands */
	uint64_t frame_end;
	bool framed, hidden, ended, broken;
	bool named; /* there was a global with a proper name */
	bool harm; /* and a dangerous one */
	bool cut; /* the text ends within an opcode */
	bool deep; /* a string was not looked into */
	unsigned since; /* opcodes after it that made sense */
	struct phi_scan_value *stack;
	size_t height, stack_capacity;
	size_t *marks;
	size_t nmarks, marks_capacity;
	struct phi_scan_slot *memo; /* a hash table: numbers may be any */
	size_t memo_size, memo_used; /* size: a power of 2 */
	struct phi_scan_pending *pending; /* PHI_SCAN_PENDING_MAX of them */
	size_t npending;
	struct phi_scan_pickle *r;
};

/* Findings. What is said before it is proven that this is a pickle waits until then. */
int phi_machine_say(struct phi_machine *m, enum phi_scan_rule rule, struct phi_err *err,
	const char *fmt, ...) PHI_PRINTF(4, 5);
/* The form of the pickle is worth a finding only where a loader begins. */
int phi_machine_say_form(
	struct phi_machine *m, enum phi_scan_rule rule, struct phi_err *err, const char *text);
/* This is a pickle: what waited is said. */
int phi_machine_prove(struct phi_machine *m, struct phi_err *err);
/* A loader stops here; we do so too unless this is a pickle for sure. */
void phi_machine_fault(struct phi_machine *m);

/* The stack. What is taken off an empty one is a fault, and could be anything. */
int phi_machine_push(struct phi_machine *m, struct phi_scan_value v, struct phi_err *err);
int phi_machine_push_kind(struct phi_machine *m, enum phi_scan_kind kind, struct phi_err *err);
struct phi_scan_value phi_machine_pop(struct phi_machine *m);
struct phi_scan_value phi_machine_top(struct phi_machine *m);
int phi_machine_mark(struct phi_machine *m, struct phi_err *err);
/* Takes the innermost mark away if nothing is above it, else the value on top. */
void phi_machine_drop(struct phi_machine *m);
/* Drops all above the innermost mark, and it; *first is the lowest of them, PLAIN if there is none.
 */
void phi_machine_pop_mark(struct phi_machine *m, struct phi_scan_value *first);

/* The memo: gives the value on top a number, pushes the value of a number; the number may be a
 * line. */
struct phi_operand;
int phi_machine_memorize(struct phi_machine *m, uint64_t index, struct phi_err *err);
int phi_machine_recall(struct phi_machine *m, uint64_t index, struct phi_err *err);

/* Opcodes and what stands behind them. */
enum phi_opcode_form {
	PHI_FORM_BAD, /* no opcode */
	PHI_FORM_NONE,
	PHI_FORM_BYTES, /* a number of `width` bytes */
	PHI_FORM_LINE,
	PHI_FORM_LINES, /* two */
	PHI_FORM_COUNT, /* such a number, and as many bytes */
};
struct phi_opcode {
	uint8_t form, width, effect;
};
/* Where an opcode's operand stands, its value if it is a number, and its second line. */
struct phi_operand {
	uint64_t at, size, number, at2, size2;
};
/* Both end the run where the text ends. */
int phi_machine_take_byte(struct phi_machine *m, uint8_t *byte, struct phi_err *err);
int phi_machine_take_operand(struct phi_machine *m, const struct phi_opcode *o,
	struct phi_operand *to, struct phi_err *err);

/* Pushes a global, named by two lines or by the two values on top, and says what it is. */
int phi_machine_global(struct phi_machine *m, const struct phi_operand *o, struct phi_err *err);
int phi_machine_stack_global(struct phi_machine *m, struct phi_err *err);

/* Looks into the bytes of a string; and pushes the string that an operand is. */
int phi_machine_literal(struct phi_machine *m, uint64_t at, uint64_t size,
	enum phi_scan_spelling spelling, bool text, struct phi_err *err);
int phi_machine_string(struct phi_machine *m, const struct phi_operand *o,
	enum phi_scan_spelling spelling, struct phi_err *err);

/* Undoes escapes in place; they only ever shrink. utf8: to characters, else to bytes, and SIZE_MAX
 * if there are characters beyond them. */
size_t phi_scan_unescape(char *s, size_t n, enum phi_scan_spelling spelling, bool utf8);

#endif
