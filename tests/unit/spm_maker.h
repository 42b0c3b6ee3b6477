/* Small files of SentencePiece's kind (formats/tokenizer/sentencepiece.h), field by field. */
#ifndef PHI_TESTS_SPM_MAKER_H
#define PHI_TESTS_SPM_MAKER_H

#include "formats/core/bytes.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct spm {
	unsigned char data[8192];
	size_t size;
};

static inline void
spm_head(struct spm *f, unsigned number, size_t n)
{
	f->data[f->size++] = (unsigned char)(number << 3 | 2);
	for (; n > 127; n >>= 7)
		f->data[f->size++] = (unsigned char)(n | 128);
	f->data[f->size++] = (unsigned char)n;
}

static inline void
spm_message(struct spm *f, unsigned number, const void *data, size_t n)
{
	spm_head(f, number, n);
	memcpy(f->data + f->size, data, n);
	f->size += n;
}

/* Numbers below 128, fields below 32; a field of 16 and more has a key of two bytes. */
static inline void
spm_number(struct spm *f, unsigned number, unsigned value)
{
	if (number < 16) {
		f->data[f->size++] = (unsigned char)(number << 3);
	} else {
		f->data[f->size++] = (unsigned char)((number << 3 & 127) | 128);
		f->data[f->size++] = (unsigned char)(number >> 4);
	}
	f->data[f->size++] = (unsigned char)value;
}

/* kind 0 is left out. */
static inline void
spm_piece(struct spm *f, const char *text, float score, unsigned kind)
{
	struct spm piece = { .size = 0 };
	spm_message(&piece, 1, text, strlen(text));
	piece.data[piece.size++] = 2 << 3 | 5;
	phi_store32(piece.data + piece.size, phi_bits32(score));
	piece.size += 4;
	if (kind)
		spm_number(&piece, 3, kind);
	spm_message(f, 1, piece.data, piece.size);
}

/* What Llama's has: BPE; identity, spaces kept. */
static inline void
spm_settings(struct spm *f, unsigned algorithm, unsigned byte_fallback, unsigned one_space)
{
	struct spm part = { .size = 0 };
	spm_number(&part, 3, algorithm);
	spm_number(&part, 35, byte_fallback);
	spm_message(f, 2, part.data, part.size);
	part.size = 0;
	spm_message(&part, 1, "identity", 8);
	spm_number(&part, 4, one_space);
	spm_message(f, 3, part.data, part.size);
}

static inline void
spm_byte_pieces(struct spm *f, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char text[8];
		snprintf(text, sizeof text, "<0x%02X>", i);
		spm_piece(f, text, 0, 6);
	}
}

#endif
