/* A tar of fuzzed parts, opened as a user's folder would be. */
#ifndef PHI_TESTS_FUZZ_TAR_H
#define PHI_TESTS_FUZZ_TAR_H

#include "tests/fuzz/parts.h"

#include <stdio.h>

enum { FUZZ_RECORD = 512 };

/* A plain ustar entry behind *at. */
static inline void
fuzz_tar_entry(uint8_t *tar, size_t *at, const char *name, struct fuzz_part part)
{
	uint8_t *const head = tar + *at;
	unsigned sum = 0;
	memset(head, 0, FUZZ_RECORD);
	snprintf((char *)head, 100, "%s", name);
	memcpy(head + 100, "0000644\0000000000\0000000000", 24);
	snprintf((char *)head + 124, 12, "%011o", (unsigned)part.size);
	memcpy(head + 136, "00000000000", 12);
	memcpy(head + 148, "        0", 9);
	memcpy(head + 257, "ustar\00000", 8);
	for (size_t i = 0; i < FUZZ_RECORD; i++)
		sum += head[i];
	snprintf((char *)head + 148, 8, "%06o", sum);
	if (part.size)
		memcpy(head + FUZZ_RECORD, part.data, part.size);
	*at += FUZZ_RECORD + part.size;
	while (*at % FUZZ_RECORD)
		tar[(*at)++] = 0;
}

#endif
