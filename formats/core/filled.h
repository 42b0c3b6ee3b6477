/* Rows that are no whole blocks, filled up with zeros (phi_part.filled), and what ONNX Runtime's quantizer leaves in the
 * place of codes that nobody has (MlasQuantizeBlockwise of 1.32):
 *
 *     4 bits, 5 of a block of 16    21 43 m5 00 00 00 00 00     m: as in the byte before, here 4
 *
 * Bytes without a code are 0; the bits of the last one that are no code's are those of the byte before it, of the block
 * before where that has its zero point in the same byte. The zero points of a row are not touched. */
#ifndef PHI_CORE_FILLED_H
#define PHI_CORE_FILLED_H

#include "formats/core/type.h"

/* Moves rows of `real` numbers, `width` bytes each, that lie one behind the other apart, to rows of `row`. */
void phi_filled_spread(uint8_t *numbers, unsigned width, uint64_t real, uint64_t row, uint64_t rows);

/* Of rows of blocks, each as many as `real` numbers take, of a type with fields. */
void phi_filled_clear(const struct phi_type *type, uint64_t real, uint8_t *blocks, uint64_t rows);

#endif
