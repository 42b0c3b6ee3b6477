/* Numbers in bytes, without casts of pointers. Little-endian unless the name says otherwise. */
#ifndef PHI_CORE_BYTES_H
#define PHI_CORE_BYTES_H

#include <stdint.h>
#include <string.h>

static inline uint16_t
phi_load16(const void *p)
{
	const uint8_t *const b = p;
	return (uint16_t)(b[0] | b[1] << 8);
}

static inline uint32_t
phi_load32(const void *p)
{
	const uint8_t *const b = p;
	return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline uint64_t
phi_load64(const void *p)
{
	const uint8_t *const b = p;
	return phi_load32(b) | (uint64_t)phi_load32(b + 4) << 32;
}

static inline void
phi_store16(void *p, uint16_t v)
{
	uint8_t *const b = p;
	b[0] = (uint8_t)v;
	b[1] = (uint8_t)(v >> 8);
}

static inline void
phi_store32(void *p, uint32_t v)
{
	phi_store16(p, (uint16_t)v);
	phi_store16((uint8_t *)p + 2, (uint16_t)(v >> 16));
}

static inline void
phi_store64(void *p, uint64_t v)
{
	phi_store32(p, (uint32_t)v);
	phi_store32((uint8_t *)p + 4, (uint32_t)(v >> 32));
}

/* The bits of a float and back. */
static inline uint32_t
phi_bits32(float f)
{
	uint32_t v;
	memcpy(&v, &f, sizeof v);
	return v;
}

static inline float
phi_float32(uint32_t v)
{
	float f;
	memcpy(&f, &v, sizeof f);
	return f;
}

static inline uint64_t
phi_bits64(double f)
{
	uint64_t v;
	memcpy(&v, &f, sizeof v);
	return v;
}

static inline double
phi_float64(uint64_t v)
{
	double f;
	memcpy(&f, &v, sizeof f);
	return f;
}

/* Reverses the bytes of each of the n / width elements of `width` bytes (1, 2, 4, 8, 16), in place. */
void phi_swap_bytes(void *p, uint64_t n, unsigned width);

#endif
