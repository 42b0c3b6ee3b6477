#include "formats/gguf/cut.h"

#include "formats/core/checked.h"
#include "formats/gguf/split.h"

#include <inttypes.h>
#include <string.h>

static void
by_size(const struct phi_plan *plan, uint64_t size, struct phi_gguf_cut *cut)
{
	uint64_t filled = 0;
	for (uint32_t i = 0; i < plan->model->ntensors; i++) {
		const uint64_t bytes = plan->bytes[i];
		if (i && (filled > size || bytes > size - filled)) {
			cut->first[cut->count++] = i;
			filled = 0;
		}
		filled += bytes;
	}
}

/* A tensor belongs to the part that its middle falls into, were all parts the same size; but no part
 * is passed over, and as many tensors are left as parts. */
static int
by_count(const struct phi_plan *plan, uint32_t count, struct phi_gguf_cut *cut, struct phi_err *err)
{
	const uint32_t n = (uint32_t)plan->model->ntensors;
	uint64_t total = 0, before = 0;
	for (uint32_t i = 0; i < n; i++)
		if (!phi_add(total, plan->bytes[i], &total))
			return phi_fail(err, PHI_LIMIT, "the tensors are too large for one model");
	if (count > n)
		return phi_fail(err, PHI_ARGUMENT,
			"%" PRIu32 " tensors cannot be cut into %" PRIu32 " parts", n, count);
	for (uint32_t i = 0; i < n; i++) {
		const double middle = (double)before + (double)plan->bytes[i] / 2;
		const bool due = middle * count >= (double)total * cut->count;
		if (i && cut->count < count && (due || n - i == count - cut->count))
			cut->first[cut->count++] = i;
		before += plan->bytes[i];
	}
	return 0;
}

/* Where the file that the tensors came from changes; what comes from none goes with what follows. */
static void
by_source(const struct phi_plan *plan, struct phi_gguf_cut *cut)
{
	const char *last = NULL;
	for (uint32_t i = 0; i < plan->model->ntensors; i++) {
		const char *const file = phi_model_file(plan->model, &plan->model->tensors[i]);
		if (file && last && strcmp(file, last))
			cut->first[cut->count++] = i;
		last = file ? file : last;
	}
}

int
phi_gguf_cut(struct phi_plan *plan, struct phi_gguf_cut *cut, struct phi_err *err)
{
	const struct phi_plan_options *const o = &plan->options;
	const uint32_t n = (uint32_t)plan->model->ntensors;
	*cut = (struct phi_gguf_cut){ .count = 1 };
	cut->first = phi_arena_calloc(plan->arena, (size_t)n + 2, sizeof *cut->first, err);
	if (!cut->first)
		return -1;
	if (o->shard_size && o->shard_count)
		return phi_fail(err, PHI_ARGUMENT, "parts are cut by size or by count, not by both");
	if (o->keep_parts && (o->shard_size || o->shard_count))
		return phi_fail(err, PHI_ARGUMENT, "parts stay as they were or are cut anew, not both");
	if (o->shard_size)
		by_size(plan, o->shard_size, cut);
	else if (o->keep_parts)
		by_source(plan, cut);
	else if (o->shard_count && by_count(plan, o->shard_count, cut, err))
		return -1;
	cut->first[cut->count] = n;
	if (cut->count > PHI_GGUF_PARTS_MAX)
		return phi_fail(err, PHI_LIMIT, "%" PRIu32 " parts are more than the limit (%d)",
			cut->count, PHI_GGUF_PARTS_MAX);
	return 0;
}
