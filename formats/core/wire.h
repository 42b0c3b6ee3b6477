/* Protocol buffers' wire format, read in place and within bounds, and written: SentencePiece's tokenizer.model, and
 * whatever else needs a few fields of a large message without unpacking it. Which field is what is the
 * caller's to know.
 *
 *     message   field field ...
 *     field     key, a varint: number << 3 | type; then
 *                 type 0  a varint: 7 bits a byte, the lowest first, the top bit says "more"; 10 bytes at most
 *                 type 1  8 bytes, little-endian
 *                 type 2  a length (varint), so many bytes: text, message or packed numbers
 *                 type 5  4 bytes, little-endian
 *
 * Types 3 and 4 (groups, of long ago) are refused. A field may come twice: then the last one counts, and a
 * field without value has its default, both the caller's matter. */
#ifndef PHI_CORE_WIRE_H
#define PHI_CORE_WIRE_H

#include "formats/core/error.h"

#include <stddef.h>
#include <stdint.h>

enum { PHI_WIRE_NUMBER_MAX = (1 << 29) - 1 }; /* of a field */

enum phi_wire_type {
	PHI_WIRE_VARINT = 0,
	PHI_WIRE_8_BYTES = 1,
	PHI_WIRE_BYTES = 2,
	PHI_WIRE_4_BYTES = 5,
};

/* What is left of a message; lent. */
struct phi_wire {
	const uint8_t *next;
	size_t size;
};

struct phi_wire_field {
	uint32_t number;
	enum phi_wire_type type;
	uint64_t value;	       /* of a varint, or the 4 or 8 bytes */
	struct phi_wire bytes; /* of PHI_WIRE_BYTES */
};

/* 1: the next field; 0: the message is at its end; -1: cut short or no such message. */
int phi_wire_next(struct phi_wire *message, struct phi_wire_field *out, struct phi_err *err);

/* Takes the varint that the message begins with. */
int phi_wire_varint(struct phi_wire *message, uint64_t *out, struct phi_err *err);

/* Fails unless the field has this type; `what` names it in the message. */
int phi_wire_expect(const struct phi_wire_field *field, enum phi_wire_type type, const char *what,
	struct phi_err *err);

/* Writing: appends a field. Floats are the 4 bytes of their bits. */
struct phi_buffer;
int phi_wire_put_varint(struct phi_buffer *out, uint32_t number, uint64_t v, struct phi_err *err);
int phi_wire_put_float(struct phi_buffer *out, uint32_t number, float v, struct phi_err *err);
int phi_wire_put_bytes(struct phi_buffer *out, uint32_t number, const void *bytes, size_t n, struct phi_err *err);

#endif
