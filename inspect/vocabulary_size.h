/* The kind and size of the vocabulary in a tokenizer.json, without a tree: the text is skimmed once, 200,000
 * tokens in some milliseconds. For showing only; formats/tokenizer reads the file in earnest.
 *
 *     {..., "added_tokens": [{"id": 32000, ...}, ...],
 *      "model": {"type": "BPE", "vocab": {"token": id, ...} or [["token", score], ...], ...}} */
#ifndef PHI_INSPECT_VOCABULARY_SIZE_H
#define PHI_INSPECT_VOCABULARY_SIZE_H

#include <stddef.h>
#include <stdint.h>

struct phi_vocabulary_size {
	char kind[32];	 /* "BPE"; empty: not said */
	uint64_t tokens; /* the vocabulary's and added ones beyond; 0: none found */
};

/* Nothing is filled in where the text is not what is expected. */
void phi_vocabulary_size_take(struct phi_vocabulary_size *size, const char *text, size_t n);

#endif
