#include "formats/mlx/mlx.h"

#include "formats/core/json_edit.h"
#include "formats/core/memory.h"

#include <string.h>

enum { CONFIG_MAX = 16 << 20, METADATA_MAX = 256 };

static bool
contains(const uint8_t *text, size_t size, const char *what)
{
	return memmem(text, size, what, strlen(what)) != NULL;
}

/* config.json has an object "quantization" that speaks of groups. */
static bool
says_quantization(struct phi_store *store)
{
	struct phi_member *const member = phi_store_member(store, "config.json", NULL);
	struct phi_json_place place;
	void *text = NULL;
	size_t size;
	bool says = false;
	if (member && !phi_member_load(member, CONFIG_MAX, &text, &size, NULL))
		says = phi_json_find(text, size, "quantization", &place) &&
			contains((const uint8_t *)text + place.value, place.end - place.value, "\"group_size\"");
	phi_free(text);
	phi_member_close(member);
	return says;
}

/* The weights' own word, which mlx writes as the first of the header. */
static bool
says_format(struct phi_store *store, const char *name)
{
	struct phi_member *const member = phi_store_member(store, name, NULL);
	const uint8_t *head;
	size_t n;
	const bool says = member && !phi_member_peek(member, &head, &n, NULL) &&
		contains(head, n < METADATA_MAX ? n : METADATA_MAX, "\"format\":\"mlx\"");
	phi_member_close(member);
	return says;
}

/* The first file of weights, or NULL. */
static const char *
weights_of(struct phi_store *store)
{
	const char *const *names;
	size_t count;
	if (phi_store_list(store, &names, &count, NULL))
		return NULL;
	for (size_t i = 0; i < count; i++) {
		const size_t n = strlen(names[i]);
		if (!strncmp(names[i], "model", 5) && n > 12 && !strcmp(names[i] + n - 12, ".safetensors"))
			return names[i];
	}
	return NULL;
}

/* A folder that bids more than Hugging Face's 24 bits, of which it is one. */
static int
bid(const struct phi_probe *probe)
{
	if (probe->kind != PHI_STORE_FOLDER && probe->kind != PHI_STORE_TAR)
		return 0;
	const char *const weights = weights_of(probe->store);
	if (!weights || !phi_store_has(probe->store, "config.json"))
		return 0;
	return says_quantization(probe->store) || says_format(probe->store, weights) ? 40 : 0;
}

const struct phi_format phi_format_mlx = {
	.name = "mlx",
	.summary = "a folder that mlx-lm loads: config.json, tokenizer, safetensors, quantized in groups",
	.flags = PHI_FORMAT_FOLDER | PHI_FORMAT_SHARDS | PHI_FORMAT_FIELDS |
		PHI_FORMAT_CANONICAL,
	.bid = bid,
	.open = phi_mlx_open,
	.lower = phi_mlx_lower,
	.complete = phi_mlx_complete,
	.sink = &phi_sink_flat,
};
