/* What a model is, in a few words: its family with the main hyper-parameters, its tokenizer. Made from
 * metadata and side files alone, in milliseconds; what cannot be made out is left out. */
#ifndef PHI_INSPECT_FACTS_H
#define PHI_INSPECT_FACTS_H

#include "formats/core/model.h"

struct phi_facts {
	struct phi_arena *arena;
	struct phi_metadata family;    /* name, layers, hidden, ...; empty: no family */
	struct phi_metadata tokenizer; /* kind, tokens, bos, bos_text, ..., chat_template; or empty */
};

int phi_facts_take(struct phi_facts *facts, const struct phi_model *model, struct phi_err *err);
void phi_facts_free(struct phi_facts *facts);

#endif
