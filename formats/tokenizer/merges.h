/* The SentencePiece kind without its tokenizer.model: scores out of the merges of tokenizer.json.
 *
 * tokenizer.json puts two neighbours together by the rank of that pair; llama.cpp (and SentencePiece) any two
 * whose text is a token, by that token's score. The two do the same where every way to put a token together out
 * of two is a merge, and the merges of one token stand together: then the tokens, in the order of their merges,
 * get the scores 0, -1, -2 ..., and after them those that no merge makes, in the order of their ids. Where that
 * does not hold, the tokenizer cannot be said by scores, which is an error. So are the scores that SentencePiece
 * itself gives while it trains, and Phi-3's own. */
#ifndef PHI_TOKENIZER_MERGES_H
#define PHI_TOKENIZER_MERGES_H

#include "formats/tokenizer/tokenizer_json.h"

enum {
	/* Bytes of a token: SentencePiece makes none of more than 16 characters unless told so. Every place
	 * to cut a token is looked at. */
	PHI_MERGED_TOKEN_MAX = 256,
};

/* Sets the scores of the normal tokens of `v`. */
int phi_merges_score(const struct phi_tokenizer_json *file, struct phi_vocabulary *v, struct phi_err *err);

#endif
