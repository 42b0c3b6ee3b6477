/* The parts of a model's name as GGUF's general.* keys have them. "Phi-3-mini-4k-instruct" is
 *
 *     name "Phi 3 Mini 4k Instruct", basename "Phi-3", finetune "4k-instruct", size_label "mini"
 *
 * by the rules of gguf-py 0.19 (metadata.py), letter by letter; facts/gguf.md 6.4 has a table of examples.
 * Letters and digits are those of ASCII; other letters count as letters without case. */
#ifndef PHI_GGUF_MODEL_NAME_H
#define PHI_GGUF_MODEL_NAME_H

#include "formats/core/arena.h"

#include <stdint.h>

struct phi_model_name {
	const char *name; /* as a title; may be empty */
	const char *organization, *basename, *finetune, *version, *size_label; /* each may be NULL */
};

enum { PHI_MODEL_NAME_PARTS = 64 }; /* parts between hyphens; a name with more is one word */

/* id: a folder's name or "organization/name". elements: of all tensors, with which a size in the name is
 * compared. */
int phi_model_name_parse(const char *id, uint64_t elements, struct phi_arena *arena,
	struct phi_model_name *out, struct phi_err *err);

/* "3.8B", "517K": two digits at least. */
const char *phi_model_name_size(uint64_t elements, struct phi_arena *arena, struct phi_err *err);

#endif
