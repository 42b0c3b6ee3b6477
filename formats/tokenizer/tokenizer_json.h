/* tokenizer.json, read into arrays; its tree (several times the size of the file) is freed before the
 * function returns. Of a tokenizer of the SentencePiece kind whose pieces stand in tokenizer.model it is only
 * the added tokens and the post-processor that count; without that file it must have the form of Llama's
 * and Phi-3's: spaces as U+2581, one put first or not, byte fallback; either by the normalizer, without a
 * pre-tokenizer, or by a Metaspace that does not split, without a normalizer. (Metaspace puts no space before a text that
 * has one; llama.cpp and SentencePiece do.)
 *
 *     added_tokens    [{id, content, special, normalized, ...}]
 *     normalizer, pre_tokenizer, post_processor, decoder
 *     model           {type: "BPE", vocab: {token: id}, merges: ["a b", ...] or [["a", "b"], ...]}
 */
#ifndef PHI_TOKENIZER_TOKENIZER_JSON_H
#define PHI_TOKENIZER_TOKENIZER_JSON_H

#include "formats/tokenizer/vocabulary.h"

#include <jansson.h>

/* Ids of added tokens are not what the file declares: the tokenizers library (0.23, tried) takes the
 * vocabulary's id of the text, or else the next number from the vocabulary's size on, in the order of the
 * list. Files whose vocabulary holds the added tokens, too, as all of the hub's do, agree with themselves;
 * others get the library's ids here, since that is what their model was run with. */
struct phi_added_token {
	struct phi_string text;
	uint32_t id;	   /* as the library gives it */
	uint32_t declared; /* as the file has it: where special tokens are looked up */
	bool special, normalized;
	bool confirmed; /* tokenizer_config.json's added_tokens_decoder has it, too */
};

/* Strings and arrays live in the arena given to the reader. All zero but rows: there is no such file. */
struct phi_tokenizer_json {
	bool there;
	bool byte_level; /* else of the SentencePiece kind */
	struct phi_string unknown; /* of that kind: the text of the unknown token */
	bool space_first;	   /* of that kind: a space is put before every text */
	struct phi_string *tokens; /* by id, `rows` of them; data NULL where there is none */
	uint32_t rows;
	struct phi_string *merges;
	uint32_t nmerges;
	struct phi_added_token *added; /* the file's, in its order; on the heap, room for more */
	size_t nadded, added_capacity;
	size_t nlisted; /* of the added ones: those of tokenizer.json itself, the first */
	size_t nmoved;	/* of those: whose id is not the declared one */
	struct phi_names *ids; /* text -> id, of the vocabulary and the added tokens; owned */
	uint32_t nvocab;       /* entries of the vocabulary */
	const char *pre; /* GGUF's name, or NULL: not recognised */
	bool byte_decoder; /* tokens are decoded by the byte-level alphabet */
	signed char lowercase, strip_accents; /* as in the vocabulary */
	json_t *post_processor; /* owned; or NULL */
};

/* pieces: a tokenizer.model is there, too. */
int phi_tokenizer_json_read(const struct phi_side *side, uint32_t rows, bool pieces,
	struct phi_arena *arena, struct phi_tokenizer_json *out, struct phi_err *err);
void phi_tokenizer_json_free(struct phi_tokenizer_json *file);

/* Appends an added token: its id is the vocabulary's, or *next, which then goes up. Flags are false. */
struct phi_added_token *phi_tokenizer_json_add(struct phi_tokenizer_json *file,
	struct phi_string text, uint32_t *next, struct phi_err *err);

#endif
