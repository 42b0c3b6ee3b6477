/* tokenizer.model, the file of the SentencePiece library: a ModelProto (core/wire.h).
 *
 *     1  piece, once for each id     1 text, 2 score (4 bytes, 0), 3 kind (1)
 *     2  how it was trained          3 algorithm: 1 unigram, 2 BPE, 3 words, 4 characters (1)
 *                                    24 the mark of a space comes behind words (no); 35 byte fallback (no)
 *     3  how texts are normalized    2 a compiled table of characters (none), 3 a space is put first (yes),
 *                                    4 spaces in a row become one (yes), 5 spaces become U+2581 (yes)
 *     others                         self tests, a normalizer for the way back: not used
 *
 * In parentheses what holds where nothing is said. What the library refuses is refused: no unknown piece or
 * two, an empty text, the same text twice, byte pieces without byte fallback or fewer than 256 with it.
 * So is what llama.cpp's "llama" vocabulary cannot do: another algorithm than BPE, a normalizer
 * with a table or one that removes spaces. */
#ifndef PHI_TOKENIZER_SENTENCEPIECE_H
#define PHI_TOKENIZER_SENTENCEPIECE_H

#include "formats/tokenizer/vocabulary.h"

/* Is it one of <0x00> to <0xFF>, the texts of byte tokens? */
bool phi_sentencepiece_byte(struct phi_string text);

/* Fills tokens, kinds and scores of the first ids; they have room for `rows`: more pieces are an error.
 * Sets space_first. Texts are copied into the arena. *npieces: how many there are. */
int phi_sentencepiece_read(const struct phi_side *side, uint32_t rows, struct phi_arena *arena,
	struct phi_vocabulary *out, uint32_t *npieces, struct phi_err *err);

#endif
