/* A side file as a JSON tree, within limits: a tree takes some 60 bytes a value, so it is the values that
 * are counted, before anything is parsed. */
#ifndef PHI_TOKENIZER_SIDE_JSON_H
#define PHI_TOKENIZER_SIDE_JSON_H

#include "formats/core/model.h"

#include <jansson.h>

enum {
	/* Values of a file of settings (tokenizer_config.json, generation_config.json, ...); the largest
	 * list some thousand added tokens. */
	PHI_SETTINGS_VALUES_MAX = 1 << 18,
	/* Values of tokenizer.json: 200,000 tokens and as many merges of two are 1.2 million; the largest
	 * vocabularies have three times that. */
	PHI_TOKENIZER_VALUES_MAX = 1 << 23,
};

/* flags are phi_json_parse's. The caller frees with json_decref. */
json_t *phi_side_json(const struct phi_side *side, unsigned flags, size_t values_max,
	struct phi_err *err);

#endif
