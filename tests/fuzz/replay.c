/* A plain main for a fuzz target: feeds it each file named, so the corpus runs with any compiler. With a
 * file, also 256 of its prefixes and 256 single-byte changes at fixed places: cheap
 * metamorphic noise on every run. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILE_MAX = 1 << 20, PREFIXES = 256, CHANGES = 256 };

/* A copy of exactly that size, so that a sanitizer sees the first byte beyond. */
static void
feed(const uint8_t *data, size_t size)
{
	uint8_t *const copy = malloc(size ? size : 1);
	if (!copy)
		exit(2);
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void
replay(uint8_t *data, size_t size)
{
	feed(data, size);
	const size_t step = size > PREFIXES ? size / PREFIXES + 1 : 1;
	for (size_t n = 0; n < size; n += step)
		feed(data, n);
	for (size_t i = 0; size && i < CHANGES; i++) {
		const size_t at = i * 2654435761u % size;
		const uint8_t old = data[at];
		data[at] = (uint8_t)(old ^ (1u << i % 8) ^ (i & 64 ? 0xff : 0));
		feed(data, size);
		data[at] = old;
	}
}

int
main(int argc, char **argv)
{
	static uint8_t data[FILE_MAX];
	for (int i = 1; i < argc; i++) {
		FILE *const f = fopen(argv[i], "rb");
		if (!f) {
			perror(argv[i]);
			return 2;
		}
		const size_t n = fread(data, 1, sizeof data, f);
		fclose(f);
		replay(data, n);
	}
	return 0;
}
