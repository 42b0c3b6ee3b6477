/* A growing byte buffer: headers are built in it, then copied to a plan's arena or lent. */
#ifndef PHI_CORE_BUFFER_H
#define PHI_CORE_BUFFER_H

#include "formats/core/error.h"

#include <stddef.h>
#include <stdint.h>

struct phi_buffer {
	uint8_t *data;
	size_t size, capacity;
};

int phi_buffer_append(struct phi_buffer *buffer, const void *bytes, size_t n, struct phi_err *err);
int phi_buffer_zeros(struct phi_buffer *buffer, size_t n, struct phi_err *err);
int phi_buffer_printf(struct phi_buffer *buffer, struct phi_err *err, const char *fmt, ...)
	PHI_PRINTF(3, 4);
int phi_buffer_u32(struct phi_buffer *buffer, uint32_t v, struct phi_err *err);
int phi_buffer_u64(struct phi_buffer *buffer, uint64_t v, struct phi_err *err);
void phi_buffer_free(struct phi_buffer *buffer);

#endif
