/* A model in several files, as llama-gguf-split and the converters cut it: NAME-00001-of-00003.gguf
 * ... Each part is a GGUF of its own whose keys say which one it is; the first has all other keys.
 *
 *     split.no             u16, from 0
 *     split.count          u16; 0 or 1: not split
 *     split.tensors.count  i32, of all parts
 */
#ifndef PHI_GGUF_SPLIT_H
#define PHI_GGUF_SPLIT_H

#include "formats/core/model.h"

enum { PHI_GGUF_PARTS_MAX = 1000 }; /* each is an open file; real models have some tens */

struct phi_gguf_split {
	uint64_t number, count; /* count 0: not split */
	uint64_t tensors;
	bool has_tensors;
};

/* What the keys say; fails if they say it in another kind, or number >= count. */
int phi_gguf_split_read(
	const struct phi_metadata *metadata, struct phi_gguf_split *split, struct phi_err *err);
/* Takes the three keys out. */
void phi_gguf_split_forget(struct phi_metadata *metadata);

/* Adds them, in gguf-py's order; arena: the list's. */
int phi_gguf_split_add(struct phi_metadata *metadata, struct phi_arena *arena,
	const struct phi_gguf_split *split, struct phi_err *err);
/* The name of part `number` of an output that the user named `output`: its suffix, if any, gives way
 * to "-00001-of-00003.gguf". In the arena. */
const char *phi_gguf_split_name(struct phi_arena *arena, const char *output, uint64_t number,
	uint64_t count, struct phi_err *err);

/* The path of part `number` beside `path`, which is the first part's; in the arena. NULL without a
 * failure (err untouched) where `path` is not named like a first part of `count`. */
const char *phi_gguf_split_path(struct phi_arena *arena, const char *path, uint64_t number,
	uint64_t count, struct phi_err *err);
/* The name of the whole: a first part's base name without its number. In the arena. */
const char *phi_gguf_split_base(
	struct phi_arena *arena, const char *base, uint64_t count, struct phi_err *err);

#endif
