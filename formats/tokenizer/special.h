/* Special tokens: which ids they have, and which are added to every text. Found as gguf-py's SpecialVocab
 * finds them (gguf-py 0.19):
 *
 *   1. tokenizer.json's post_processor says which are added, and may name one in passing
 *   2. tokenizer_config.json's <name>_token, looked up among tokenizer.json's added tokens
 *   3. config.json's <name>_token_id, for those still missing
 *
 * In a vocabulary of the SentencePiece kind ids beyond it are passed over.
 */
#ifndef PHI_TOKENIZER_SPECIAL_H
#define PHI_TOKENIZER_SPECIAL_H

#include "formats/tokenizer/tokenizer_json.h"

/* config: tokenizer_config.json's tree, changed on the way, or NULL. Fills special, special_order, add of
 * the vocabulary. */
int phi_special_find(const struct phi_tokenizer_json *file, json_t *config,
	const struct phi_metadata *metadata, struct phi_vocabulary *out, struct phi_err *err);

#endif
