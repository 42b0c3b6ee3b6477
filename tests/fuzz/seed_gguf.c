/* Writes seeds for fuzz_gguf into a folder: the files that break one rule each, and good ones. */
#include "tests/unit/gguf_bad.h"

#include <stdio.h>

static void
save(const char *folder, const char *name, size_t number, struct maker m)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s-%02zu.gguf", folder, name, number);
	FILE *const f = fopen(path, "wb");
	if (!f || fwrite(m.bytes.data, 1, m.bytes.size, f) != m.bytes.size || fclose(f))
		abort();
	phi_buffer_free(&m.bytes);
}

/* Small, with a string, an array of strings, one of numbers, a matrix and a row of a block type. */
static struct maker
good(unsigned version, bool big)
{
	struct maker m = start(version, big, 2, 4);
	put_str(&m, "general.architecture", "phi3");
	put_u32(&m, "general.alignment", 64);
	put_key(&m, "a", PHI_VALUE_ARRAY);
	put_number(&m, PHI_VALUE_STRING, 4);
	put_count(&m, 2);
	put_text(&m, "x");
	put_text(&m, "");
	put_key(&m, "b", PHI_VALUE_ARRAY);
	put_number(&m, PHI_VALUE_F32, 4);
	put_count(&m, 1);
	put_number(&m, 0x3f800000, 4);
	put_info(&m, "blk.0.x", 4, 2, 0, 0);
	put_info(&m, "blk.0.y", 32, 0, big ? 24 : 8, 64);
	pad(&m, 64);
	put_data(&m, 32, 1, 64);
	put_data(&m, 34, 2, 64);
	return m;
}

int
main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	for (size_t i = 0; i < BADS; i++)
		save(argv[1], "bad", i, bads[i].make());
	for (unsigned version = 1; version <= 3; version++)
		save(argv[1], "good", version, good(version, false));
	save(argv[1], "good", 4, good(3, true));
	return 0;
}
