/* tokenizer.json of a byte-level BPE, read into arrays; its tree (several times the size of the file) is
 * freed before the function returns.
 *
 *     added_tokens    [{id, content, special, normalized, ...}]
 *     normalizer, pre_tokenizer, post_processor, decoder
 *     model           {type: "BPE", vocab: {token: id}, merges: ["a b", ...] or [["a", "b"], ...]}
 */
#ifndef PHI_TOKENIZER_TOKENIZER_JSON_H
#define PHI_TOKENIZER_TOKENIZER_JSON_H

#include "formats/tokenizer/vocabulary.h"

#include <jansson.h>

struct phi_added_token {
	struct phi_string text;
	uint32_t id;
	bool special, normalized;
	bool confirmed; /* tokenizer_config.json's added_tokens_decoder has it, too */
};

/* Strings and arrays live in the arena given to the reader. */
struct phi_tokenizer_json {
	struct phi_string *tokens; /* by id, `rows` of them; data NULL where there is none */
	uint32_t rows;
	struct phi_string *merges;
	uint32_t nmerges;
	struct phi_added_token *added; /* the file's, in its order; on the heap, room for more */
	size_t nadded, added_capacity;
	size_t nlisted; /* of the added ones: those of tokenizer.json itself, the first */
	const char *pre; /* GGUF's name, or NULL: not recognised */
	bool byte_decoder; /* tokens are decoded by the byte-level alphabet */
	signed char lowercase, strip_accents; /* as in the vocabulary */
	json_t *post_processor; /* owned; or NULL */
};

int phi_tokenizer_json_read(const struct phi_side *side, uint32_t rows, const char *family,
	struct phi_arena *arena, struct phi_tokenizer_json *out, struct phi_err *err);
void phi_tokenizer_json_free(struct phi_tokenizer_json *file);

/* Puts a token at an id: an error if the id is beyond the rows, or taken by another text. */
int phi_tokenizer_json_place(struct phi_tokenizer_json *file, struct phi_string text, uint64_t id,
	struct phi_err *err);

#endif
