/* Makes small zip archives in memory, right ones and, by hand afterwards, wrong ones. */
#ifndef PHI_TESTS_ZIP_MAKER_H
#define PHI_TESTS_ZIP_MAKER_H

#include "formats/core/bytes.h"

#define ZLIB_CONST

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { ZIP_ENTRIES = 16, ZIP_BYTES = 64 << 10 };

struct zip_maker {
	uint8_t bytes[ZIP_BYTES];
	size_t size;
	struct {
		const char *name;
		size_t header, stored, size;
		uint32_t crc;
		int method;
	} entries[ZIP_ENTRIES];
	int count;
	size_t directory, end; /* where they begin, once closed */
};

static inline void
zip_put(struct zip_maker *z, const void *p, size_t n)
{
	if (n)
		memcpy(z->bytes + z->size, p, n);
	z->size += n;
}

static inline void
zip_number(struct zip_maker *z, uint64_t v, unsigned n)
{
	uint8_t bytes[8];
	phi_store64(bytes, v);
	zip_put(z, bytes, n);
}

static inline size_t
zip_deflate(const void *src, size_t n, uint8_t *dst, size_t room)
{
	z_stream s = { 0 };
	deflateInit2(&s, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
	s.next_in = src;
	s.avail_in = (unsigned)n;
	s.next_out = dst;
	s.avail_out = (unsigned)room;
	if (deflate(&s, Z_FINISH) != Z_STREAM_END)
		abort();
	deflateEnd(&s);
	return room - s.avail_out;
}

/* What local header and directory say alike: version needed to the extra's length. */
static inline void
zip_common(struct zip_maker *z, int i)
{
	zip_number(z, 20, 2);
	zip_number(z, 0, 2);
	zip_number(z, (uint64_t)z->entries[i].method, 2);
	zip_number(z, 0, 4);
	zip_number(z, z->entries[i].crc, 4);
	zip_number(z, z->entries[i].stored, 4);
	zip_number(z, z->entries[i].size, 4);
	zip_number(z, strlen(z->entries[i].name), 2);
	zip_number(z, 0, 2);
}

static inline void
zip_add(struct zip_maker *z, const char *name, const void *data, size_t n, int method)
{
	static uint8_t packed[ZIP_BYTES];
	const size_t stored = method == 8 ? zip_deflate(data, n, packed, sizeof packed) : n;
	const int i = z->count++;
	z->entries[i].name = name;
	z->entries[i].header = z->size;
	z->entries[i].stored = stored;
	z->entries[i].size = n;
	z->entries[i].crc = (uint32_t)crc32(0, data, (unsigned)n);
	z->entries[i].method = method;
	zip_number(z, 0x04034B50, 4);
	zip_common(z, i);
	zip_put(z, name, strlen(name));
	zip_put(z, method == 8 ? packed : data, stored);
}

static inline void
zip_close(struct zip_maker *z)
{
	z->directory = z->size;
	for (int i = 0; i < z->count; i++) {
		zip_number(z, 0x02014B50, 4);
		zip_number(z, 20, 2);
		zip_common(z, i);
		zip_number(z, 0, 2); /* comment */
		zip_number(z, 0, 2); /* disk */
		zip_number(z, 0, 6); /* attributes */
		zip_number(z, z->entries[i].header, 4);
		zip_put(z, z->entries[i].name, strlen(z->entries[i].name));
	}
	z->end = z->size;
	zip_number(z, 0x06054B50, 4);
	zip_number(z, 0, 4);
	zip_number(z, (uint64_t)z->count, 2);
	zip_number(z, (uint64_t)z->count, 2);
	zip_number(z, z->end - z->directory, 4);
	zip_number(z, z->directory, 4);
	zip_number(z, 0, 2);
}

#endif
