/* The neutral vocabulary out of GGUF's keys, tokenizer.ggml.* and tokenizer.chat_template. */
#ifndef PHI_TOKENIZER_FROM_KEYS_H
#define PHI_TOKENIZER_FROM_KEYS_H

#include "formats/tokenizer/vocabulary.h"

enum { PHI_TEMPLATES_MAX = 64 }; /* named chat templates */

/* rows: of the embedding. pre: --pre NAME in place of the file's tokenizer.ggml.pre, or NULL. Texts are lent by the
 * metadata, arrays live in `arena`. 1: there are no tokens. Lists of other lengths, kinds that do not exist, special
 * tokens beyond the vocabulary, more tokens than rows and texts that are no UTF-8 are errors. */
int phi_vocabulary_from_keys(const struct phi_metadata *metadata, uint32_t rows, const char *pre,
	struct phi_arena *arena, struct phi_vocabulary *out, struct phi_err *err);

#endif
