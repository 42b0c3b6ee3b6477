/* The neutral vocabulary as the files of a checkpoint folder: tokenizer.json, tokenizer_config.json,
 * generation_config.json and, of the SentencePiece kind, tokenizer.model. The way back of vocabulary.h.
 *
 * What a GGUF does not say of added tokens is given by the form. "[PADn]" with the token's own number and of the kind
 * unused stands for no token, and goes nowhere. */
#ifndef PHI_TOKENIZER_WRITE_H
#define PHI_TOKENIZER_WRITE_H

#include "formats/core/buffer.h"
#include "formats/tokenizer/vocabulary.h"

struct phi_tokenizer_form {
	/* Tokens of the form <|...|> swallow the white space behind them; not those that end texts (<|endoftext|>). */
	bool strips;
	uint32_t context; /* model_max_length */
};

/* May the vocabulary be written at all? An unknown kind or pre-tokenizer, two tokens of one text, a merge of what are
 * no tokens, a token of the SentencePiece kind without score are errors that say which. */
int phi_tokenizer_expressible(const struct phi_vocabulary *v, struct phi_err *err);

/* Each appends a whole file. The vocabulary is expressible. */
int phi_tokenizer_write_json(const struct phi_vocabulary *v, const struct phi_tokenizer_form *form,
	struct phi_buffer *out, struct phi_err *err);
int phi_tokenizer_write_config(const struct phi_vocabulary *v, const struct phi_tokenizer_form *form,
	struct phi_buffer *out, struct phi_err *err);
int phi_tokenizer_write_pieces(const struct phi_vocabulary *v, struct phi_buffer *out, struct phi_err *err);
/* metadata: a GGUF's, for general.sampling.* */
int phi_tokenizer_write_generation(const struct phi_vocabulary *v, const struct phi_metadata *metadata,
	struct phi_buffer *out, struct phi_err *err);

/* Shared by the files of this writer. */

bool phi_tokenizer_byte_level(const struct phi_vocabulary *v);
/* Of the SentencePiece kind: how many of the tokens are pieces; those after them were added. */
uint32_t phi_tokenizer_pieces(const struct phi_vocabulary *v);
/* Does the id stand for no token? */
bool phi_tokenizer_padding(const struct phi_vocabulary *v, uint32_t id);
/* Is it matched in the text before anything else? */
bool phi_tokenizer_added(const struct phi_vocabulary *v, uint32_t id);
/* Is the special token added to every text? What is not said is what llama.cpp does: bos, of the SentencePiece kind. */
bool phi_tokenizer_adds(const struct phi_vocabulary *v, enum phi_special special);
/* The members of an added token's object but for its id. */
struct phi_json_writer;
void phi_tokenizer_write_flags(struct phi_json_writer *w, const struct phi_vocabulary *v,
	const struct phi_tokenizer_form *form, uint32_t id);
/* All merges of pieces, best first: of each piece every way to make it of two. Strings live in the arena. */
int phi_tokenizer_make_merges(const struct phi_vocabulary *v, struct phi_arena *arena, struct phi_string **merges,
	size_t *count, struct phi_err *err);

#endif
