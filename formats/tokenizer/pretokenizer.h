/* Pre-tokenizers by their structure. GGUF names them after models; the official converter finds the name
 * by hashing what a tokenizer makes of a sample text, so it knows published vocabularies only. Here the
 * pattern of the split decides. Where several names mean the same pattern, it is the one that the converter
 * finds for Phi's vocabulary (tests/peers/test_published.py); to the runtime they are one. */
#ifndef PHI_TOKENIZER_PRETOKENIZER_H
#define PHI_TOKENIZER_PRETOKENIZER_H

#include "formats/core/error.h"

#include <jansson.h>
#include <stdbool.h>

/* tokenizer.json's pre_tokenizer ends in bytes: a ByteLevel, alone or in a sequence. */
bool phi_pretokenizer_bytes(const json_t *pre_tokenizer);

/* GGUF's name of a pre-tokenizer, or NULL: not known. */
const char *phi_pretokenizer_name(const json_t *pre_tokenizer, const json_t *normalizer);

/* The way back: the pattern that a name of GGUF's stands for, as tokenizer.json's Split has it. */
struct phi_pretokenizer {
	const char *regex;  /* NULL: GPT-2's, which ByteLevel has built in */
	bool ignore_merges; /* a piece that is a token is taken whole */
};
/* False: the name, which may be NULL, is not known. */
bool phi_pretokenizer_find(const char *name, struct phi_pretokenizer *out);

/* May --pre give this name? Any name of letters,
 * digits, '-', '_', '.' and ':' may; the file is for whatever runtime knows it. */
bool phi_pretokenizer_allowed(const char *name);

#endif
