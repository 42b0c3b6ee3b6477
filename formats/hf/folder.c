#include "formats/hf/folder.h"

#include <string.h>

static bool
ends_with(const char *name, const char *suffix)
{
	const size_t n = strlen(name), m = strlen(suffix);
	return n > m && !strcmp(name + n - m, suffix);
}

/* The only member that ends in .safetensors, if there is just one. */
static int
find_lone(struct phi_store *store, struct phi_hf_weights *weights, struct phi_err *err)
{
	const char *const *names;
	size_t count, found = 0;
	if (phi_store_list(store, &names, &count, err))
		return -1;
	for (size_t i = 0; i < count; i++)
		if (ends_with(names[i], ".safetensors") && !strchr(names[i], '/')) {
			weights->file = names[i];
			found++;
		}
	if (found > 1)
		return phi_fail(err, PHI_UNSUPPORTED,
			"%zu .safetensors files, but no model.safetensors.index.json", found);
	return 0;
}

int
phi_hf_find_weights(struct phi_store *store, struct phi_hf_weights *weights, struct phi_err *err)
{
	static const struct phi_hf_weights known[] = {
		{ .file = "model.safetensors" },
		{ .index = "model.safetensors.index.json" },
		{ .file = "pytorch_model.bin" },
		{ .index = "pytorch_model.bin.index.json" },
	};
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (phi_store_has(store, known[i].file ? known[i].file : known[i].index)) {
			*weights = known[i];
			return 0;
		}
	*weights = (struct phi_hf_weights){ 0 };
	return find_lone(store, weights, err);
}

bool
phi_hf_is_shard(const char *name, const char *index)
{
	/* model.safetensors.index.json: the stem ends at the first dot, the suffix before ".index"
	 */
	const char *const dot = strchr(index, '.');
	const char *const tail = strstr(index, ".index.json");
	if (!dot || !tail || tail < dot)
		return false;
	const size_t stem = (size_t)(dot - index), suffix = (size_t)(tail - dot);
	static const char form[] = "-#####-of-#####";
	if (strlen(name) != stem + strlen(form) + suffix || memcmp(name, index, stem) != 0 ||
		memcmp(name + stem + strlen(form), dot, suffix) != 0)
		return false;
	for (size_t i = 0; form[i]; i++) {
		const char c = name[stem + i];
		if (form[i] == '#' ? c < '0' || c > '9' : c != form[i])
			return false;
	}
	return true;
}
