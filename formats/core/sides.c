#include "formats/core/sides.h"

#include "formats/core/memory.h"

static const char *const names[] = { "config.json", "generation_config.json", "tokenizer.json",
	"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
	"merges.txt", "tokenizer.model", "chat_template.jinja", "chat_template.json",
	"preprocessor_config.json", "README.md", "LICENSE", "NOTICE", NULL };

/* It is read straight into the arena: a tokenizer may be large. */
static int
load(struct phi_model *model, struct phi_member *member, const char *name, struct phi_err *err)
{
	const uint64_t size = phi_member_size(member);
	if (size > PHI_SIDE_MAX)
		return phi_fail(err, PHI_LIMIT, "larger than %d bytes", PHI_SIDE_MAX);
	char *const data = phi_arena_alloc(model->arena, (size_t)size + 1, err);
	if (!data || phi_member_read(member, 0, data, (size_t)size, err) ||
		phi_grow(&model->sides, &model->sides_capacity, model->nsides, sizeof *model->sides, err))
		return -1;
	data[size] = '\0';
	model->sides[model->nsides++] = (struct phi_side){ .name = name, .data = data, .size = (size_t)size };
	return 0;
}

int
phi_model_load_sides(struct phi_model *model, struct phi_store *store, struct phi_err *err)
{
	for (const char *const *name = names; *name; name++) {
		if (!phi_store_has(store, *name))
			continue;
		struct phi_member *const member = phi_store_member(store, *name, err);
		const int result = member ? load(model, member, *name, err) : -1;
		phi_member_close(member);
		if (result)
			return phi_context(err, "%s", *name);
	}
	return 0;
}
