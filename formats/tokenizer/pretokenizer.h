/* Pre-tokenizers by their structure. GGUF names them after models; the official converter finds the name
 * by hashing what a tokenizer makes of a sample text, so it knows published vocabularies only. Here the
 * pattern of the split decides, and where several names share one, the family. */
#ifndef PHI_TOKENIZER_PRETOKENIZER_H
#define PHI_TOKENIZER_PRETOKENIZER_H

#include "formats/core/error.h"

#include <jansson.h>
#include <stdbool.h>

/* tokenizer.json's pre_tokenizer ends in bytes: a ByteLevel, alone or in a sequence. */
bool phi_pretokenizer_bytes(const json_t *pre_tokenizer);

/* GGUF's name of a pre-tokenizer in a family ("phi3"), or NULL: not known. */
const char *phi_pretokenizer_name(const json_t *pre_tokenizer, const json_t *normalizer,
	const char *family);

/* May --pre give this name? Any name of letters,
 * digits, '-', '_', '.' and ':' may; the file is for whatever runtime knows it. */
bool phi_pretokenizer_allowed(const char *name);

#endif
