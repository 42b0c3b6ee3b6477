/* Chat templates: tokenizer_config.json's chat_template (a text, or a list of {name, template}) before the
 * file chat_template.jinja, that before chat_template.json: the order of gguf-py (transformers itself
 * prefers the file). */
#ifndef PHI_TOKENIZER_TEMPLATE_H
#define PHI_TOKENIZER_TEMPLATE_H

#include "formats/tokenizer/vocabulary.h"

#include <jansson.h>

/* config: tokenizer_config.json's tree, not NULL. */
int phi_template_read(const struct phi_model *model, const json_t *config, struct phi_arena *arena,
	struct phi_vocabulary *out, struct phi_err *err);

#endif
