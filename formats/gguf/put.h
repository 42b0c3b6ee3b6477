/* The bytes of a GGUF's header, packed. Little-endian, version 3. */
#ifndef PHI_GGUF_PUT_H
#define PHI_GGUF_PUT_H

#include "formats/core/buffer.h"
#include "formats/core/model.h"

/* All keys with their values, without their count. Fails where GGUF has no such kind of value. */
int phi_gguf_put_keys(
	struct phi_buffer *b, const struct phi_metadata *metadata, struct phi_err *err);
/* One entry of the list of tensors; `offset` counts from the start of the data. A tensor without
 * dimensions is written as one of [1]: llama.cpp's own writer has no rank 0. */
int phi_gguf_put_tensor(
	struct phi_buffer *b, const struct phi_tensor *t, uint64_t offset, struct phi_err *err);

#endif
