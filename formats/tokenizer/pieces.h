/* A vocabulary of the SentencePiece kind: the pieces of tokenizer.model, and laid over them, by id, what was
 * added to them. As the official converter does it for Phi-3 (conversion/phi.py):
 *
 *     tokenizer.model         its pieces, their scores and kinds; where it is missing, the vocabulary of
 *                             tokenizer.json, with scores as merges.h has them (the converter refuses that)
 *     added_tokens.json       {text: id}: user-defined, score -1000; ids beyond the embedding are left out
 *     tokenizer_config.json   added_tokens_decoder: {id: {content, special}}: control if special, else
 *                             user-defined, score -1000
 *     tokenizer.json          added_tokens: likewise, with the ids that the file declares
 *     the rest                "[PADn]", unused, score -10000
 *
 * A later one replaces an earlier one. Added texts are not checked for being there twice. */
#ifndef PHI_TOKENIZER_PIECES_H
#define PHI_TOKENIZER_PIECES_H

#include "formats/tokenizer/tokenizer_json.h"

/* Fills tokens, ntokens, kinds, scores and space_first. config: tokenizer_config.json's tree, or NULL. */
int phi_pieces_fill(const struct phi_model *model, const struct phi_tokenizer_json *file, json_t *config,
	struct phi_arena *arena, struct phi_vocabulary *out, struct phi_err *err);

#endif
