/* A tar of any bytes as a store: refused, or every entry readable from end to end. */
#include "formats/core/memory.h"
#include "tests/fuzz/open.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_entries(struct phi_store *tar, size_t limit)
{
	const char *const *names;
	size_t count, size;
	struct phi_err err = { 0 };
	if (phi_store_list(tar, &names, &count, &err))
		abort();
	for (size_t i = 0; i < count; i++) {
		void *bytes;
		struct phi_member *const m = phi_store_member(tar, names[i], &err);
		if (!m || phi_member_load(m, limit, &bytes, &size, &err))
			abort();
		phi_free(bytes);
		phi_member_close(m);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const int fd = fuzz_file(data, size);
	struct phi_err err = { 0 };
	struct phi_store *const store = phi_store_open(fuzz_path(fd).text, NULL, &err);
	struct phi_member *const member = store ? phi_store_member(store, NULL, &err) : NULL;
	struct phi_store *const tar = member ? phi_store_tar(member, &err) : NULL;
	if (tar)
		read_entries(tar, size);
	else if (err.kind == PHI_OK || !err.text[0] || strchr(err.text, '\n'))
		abort();
	phi_store_close(tar);
	phi_store_close(store);
	close(fd);
	return 0;
}
