/* The byte-level alphabet of GPT-2: every byte is one printable character, so that a vocabulary is text.
 *
 *     33-126, 161-172, 174-255     themselves, as U+0021 ... U+00FF
 *     the other 68 in rising order U+0100 ... U+0143       (a space is U+0120)
 */
#ifndef PHI_TOKENIZER_BYTELEVEL_H
#define PHI_TOKENIZER_BYTELEVEL_H

#include "formats/core/value.h"

/* The byte of a character, or -1 if it is not of the alphabet. */
int phi_bytelevel_byte(uint32_t character);

/* What the ByteLevel decoder of the tokenizers library makes of a token: its bytes if all its
 * characters are of the alphabet, else the text as it is; bytes that are no UTF-8 become U+FFFD, one for
 * each maximal part of a sequence. `token` is valid UTF-8; the result lives in the arena. */
int phi_bytelevel_decode(struct phi_string token, struct phi_arena *arena, struct phi_string *out,
	struct phi_err *err);

#endif
