#include "formats/mlx/experts.h"

#include "formats/core/escape.h"
#include "formats/mlx/mlx.h"

#include <inttypes.h>
#include <string.h>

enum { EXPERTS_MAX = 4096 };

static const struct {
	const char *experts, *stacked; /* in the middle of a name */
} names[] = {
	{ ".block_sparse_moe.experts.w1.", ".block_sparse_moe.switch_mlp.gate_proj." },
	{ ".block_sparse_moe.experts.w2.", ".block_sparse_moe.switch_mlp.down_proj." },
	{ ".block_sparse_moe.experts.w3.", ".block_sparse_moe.switch_mlp.up_proj." },
};
enum { NNAMES = sizeof names / sizeof *names };

const char *
phi_mlx_stacked_name(const char *canonical, struct phi_arena *arena, struct phi_err *err)
{
	for (size_t i = 0; i < NNAMES; i++) {
		const char *const at = strstr(canonical, names[i].experts);
		if (at)
			return phi_arena_printf(arena, err, "%.*s%s%s", (int)(at - canonical), canonical,
				names[i].stacked, at + strlen(names[i].experts));
	}
	return canonical;
}

/* The entry whose stacked name is in `name`, and where; NNAMES: none. */
static size_t
find(const char *name, const char **at)
{
	size_t i = 0;
	while (i < NNAMES && !(*at = strstr(name, names[i].stacked)))
		i++;
	return i;
}

bool
phi_mlx_is_stacked(const char *name)
{
	const char *at;
	return find(name, &at) < NNAMES;
}

/* "...experts." and the expert's number between the parts of the name. */
static const char *
spell(const char *stacked, uint64_t expert, struct phi_arena *arena, struct phi_err *err)
{
	const char *at;
	const size_t i = find(stacked, &at);
	const char *const dot = strstr(names[i].experts, ".w");
	return phi_arena_printf(arena, err, "%.*s%.*s.%" PRIu64 "%s%s", (int)(at - stacked), stacked,
		(int)(dot - names[i].experts), names[i].experts, expert, dot, at + strlen(names[i].stacked));
}

int
phi_mlx_unstack(struct phi_model *model, const struct phi_tensor *stacked, struct phi_err *err)
{
	struct phi_quoted q;
	const uint64_t experts = stacked->rank > 1 ? stacked->shape[0] : 0;
	if (phi_mlx_path(stacked->name) && stacked->rank != 3)
		return phi_fail(err, PHI_FORMAT, "tensor %s: not a stack of matrices", phi_quote(&q, stacked->name));
	if (!experts || experts > EXPERTS_MAX)
		return phi_fail(err, PHI_FORMAT, "tensor %s: %" PRIu64 " experts, expected are 1 to %d",
			phi_quote(&q, stacked->name), experts, EXPERTS_MAX);
	if (model->ntensors + experts > PHI_TENSORS_MAX)
		return phi_fail(err, PHI_LIMIT, "more than %d tensors", PHI_TENSORS_MAX);
	for (uint64_t e = 0; e < experts; e++) {
		struct phi_tensor *const t = phi_model_add_tensor(model, err);
		const char *const name = t ? spell(stacked->name, e, model->arena, err) : NULL;
		if (!name)
			return -1;
		if (!phi_tensor_slice(stacked, e, 1, true, t))
			return phi_fail(err, PHI_FORMAT, "tensor %s: cannot be cut into experts",
				phi_quote(&q, stacked->name));
		t->name = name;
	}
	return 0;
}
