/* Edits of a lowered model: its keys and the names of its tensors, as the target will carry them. In the
 * order given; each sees what those before it did. */
#ifndef PHI_CORE_EDIT_H
#define PHI_CORE_EDIT_H

#include "formats/core/format.h"

enum phi_edit_kind {
	PHI_EDIT_SET,	   /* KEY=VALUE or KEY:KIND=VALUE */
	PHI_EDIT_SET_FILE, /* KEY=PATH: a string, the bytes of a file */
	PHI_EDIT_UNSET,	   /* KEY or GLOB; no key that fits is an error */
	PHI_EDIT_RENAME,   /* s/ERE/REPLACEMENT/ or s/ERE/REPLACEMENT/g over names of tensors */
};

struct phi_edit {
	enum phi_edit_kind kind;
	const char *text; /* as above; lent */
};

/* SET. Kinds are spelt u8 i8 u16 i16 u32 i32 u64 i64 f32 f64 bool string, an array with [] behind;
 * the elements of an array are separated by commas. Without a kind: the kind the key has; a new key's
 * by its value: true and false, integers (u32, or the narrowest of i32, i64, u64 that holds it), numbers
 * with a point or an exponent (f32), else a string. An existing key keeps its place, a new one is the
 * last.
 *
 * Where the target holds nothing but strings (safetensors), new keys are strings. Where the keys are
 * those of a config.json that travels along, they are refused: the file would say otherwise.
 *
 * RENAME. POSIX extended expressions; in the replacement & is the match, \1 to \9 its groups, a
 * backslash quotes; any byte may stand for the slash. Names that become empty or double are refused;
 * that no name fits is an error.
 *
 * Reads files of SET_FILE through the store. Strings go into the model's arena. */
int phi_edit_model(struct phi_model *lowered, const struct phi_format *target,
	const struct phi_edit *edits, size_t n, struct phi_err *err);

#endif
