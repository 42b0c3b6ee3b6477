/* Added tokens: those matched in the text before anything else. tokenizer.json lists them;
 * tokenizer_config.json may add to them and change their flags, as transformers 5 loads them:
 *
 *   1. tokenizer.json's added_tokens
 *   2. tokenizer_config.json's added_tokens_decoder: what it lists has the flags given there
 *   3. bos_token ... mask_token: special if it lists them, or if there is no such list
 *   4. additional_special_tokens, and bos_token ... mask_token: new ones are added as special
 */
#ifndef PHI_TOKENIZER_ADDED_H
#define PHI_TOKENIZER_ADDED_H

#include "formats/tokenizer/tokenizer_json.h"

/* Steps 2 to 4. config: tokenizer_config.json's tree, or NULL. */
int phi_added_complete(struct phi_tokenizer_json *file, json_t *config,
	struct phi_arena *arena, struct phi_err *err);

/* An entry of added_tokens_decoder: {"32000": {"content": ..., "special": ..., "normalized": ...}}. */
struct phi_added_entry {
	uint64_t id;
	const char *text; /* not empty; lent by the tree, as value is */
	const json_t *value;
};

/* All of them in the order of their ids; the caller frees *out with phi_free. decoder may be NULL. */
int phi_added_entries(json_t *decoder, struct phi_added_entry **out, size_t *n, struct phi_err *err);

/* Fills kinds, and the texts of added tokens as llama.cpp matches them, in place:
 *
 *   not normalized       the text that decoding the token gives
 *   special, or looks it control
 *   other added          user-defined, U+2581 becomes a space
 *   not added            normal; without text "[PADn]", unused
 */
int phi_added_kinds(struct phi_tokenizer_json *file, int32_t *kinds, struct phi_arena *arena,
	struct phi_err *err);

/* Ids without text: "[PADn]", unused. */
int phi_added_pad(struct phi_string *tokens, int32_t *kinds, uint32_t n, struct phi_arena *arena,
	struct phi_err *err);

/* The text of tokenizer_config.json's entry of a special token: a string, or an object's content; or
 * NULL. */
const char *phi_special_text(const json_t *entry);

#endif
