/* The rotary embedding of a decoder, from its caches (build_rope.c has how they are made): row t is cos(t f) * scale and
 * sin(t f) * scale of each frequency f.
 *
 * Row 1 says every frequency as well as a cache's numbers can; row 2 t halves the doubt of row t, as the angle there is
 * known but for whole turns, and those follow from what is known already. So F32 caches of some thousand rows give
 * the very floats they were made of. Of those, theta is the number of fewest digits that makes them all; of longrope's,
 * theta is 10000, as in all Phi models, and the factors are the numbers of fewest digits. */
#ifndef PHI_ONNX_GENAI_ROPE_H
#define PHI_ONNX_GENAI_ROPE_H

#include "formats/core/source.h"
#include "formats/models/family.h"

enum { PHI_GENAI_ROTARY_MAX = 1 << 12 }; /* columns of a cache; heads of Phi models have 128 dimensions at most */

/* Sets rope, rotary, rope_theta, context, original_context, the factors and attention_factor of h; heads and contexts
 * that genai_config.json says are there already. `arena`: the factors'. Fails if the decoder has no caches that are known,
 * or if they are no rotation of these families. */
int phi_genai_rope(struct phi_source *decoder, struct phi_arena *arena, struct phi_hparams *h, struct phi_err *err);

#endif
