/* A growing byte buffer; doubles. */
#include "formats/core/buffer.h"

#include "formats/core/bytes.h"
#include "formats/core/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static uint8_t *
reserve(struct phi_buffer *buffer, size_t n, struct phi_err *err)
{
	if (n > SIZE_MAX / 2 - buffer->size) {
		phi_fail(err, PHI_MEMORY, "out of memory (%zu bytes)", n);
		return NULL;
	}
	const size_t needed = buffer->size + n;
	if (needed > buffer->capacity || !buffer->data) {
		size_t wanted = buffer->capacity < 256 ? 256 : 2 * buffer->capacity;
		if (wanted < needed)
			wanted = needed;
		uint8_t *const data = phi_realloc(buffer->data, wanted, 1, err);
		if (!data)
			return NULL;
		buffer->data = data;
		buffer->capacity = wanted;
	}
	return buffer->data + buffer->size;
}

int
phi_buffer_append(struct phi_buffer *buffer, const void *bytes, size_t n, struct phi_err *err)
{
	uint8_t *const at = reserve(buffer, n, err);
	if (!at)
		return -1;
	if (n)
		memcpy(at, bytes, n);
	buffer->size += n;
	return 0;
}

int
phi_buffer_zeros(struct phi_buffer *buffer, size_t n, struct phi_err *err)
{
	uint8_t *const at = reserve(buffer, n, err);
	if (!at)
		return -1;
	memset(at, 0, n);
	buffer->size += n;
	return 0;
}

int
phi_buffer_printf(struct phi_buffer *buffer, struct phi_err *err, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	const int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return phi_fail(err, PHI_ARGUMENT, "text cannot be formatted");
	uint8_t *const at = reserve(buffer, (size_t)n + 1, err);
	if (!at)
		return -1;
	va_start(ap, fmt);
	vsnprintf((char *)at, (size_t)n + 1, fmt, ap);
	va_end(ap);
	buffer->size += (size_t)n;
	return 0;
}

int
phi_buffer_u32(struct phi_buffer *buffer, uint32_t v, struct phi_err *err)
{
	uint8_t bytes[4];
	phi_store32(bytes, v);
	return phi_buffer_append(buffer, bytes, sizeof bytes, err);
}

int
phi_buffer_u64(struct phi_buffer *buffer, uint64_t v, struct phi_err *err)
{
	uint8_t bytes[8];
	phi_store64(bytes, v);
	return phi_buffer_append(buffer, bytes, sizeof bytes, err);
}

void
phi_buffer_free(struct phi_buffer *buffer)
{
	phi_free(buffer->data);
	*buffer = (struct phi_buffer){ 0 };
}
