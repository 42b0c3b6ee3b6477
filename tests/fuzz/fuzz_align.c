/* Two descriptions of one family, made comparable: whatever tensors there are, all lie in their storages afterwards.
 * Six bytes a tensor:
 *
 *     u8 side, line of the family's table     u8 layer, type     u8 rank     u8 shape[3]
 */
#include "formats/core/config.h"
#include "formats/models/family.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TENSOR_BYTES = 6 };

static struct phi_model *
make_model(uint8_t family)
{
	static const char *const types[] = { "phi", "phi3", "phimoe" };
	struct phi_err err = { 0 };
	char config[96];
	struct phi_model *const m = phi_model_new("hf", &err);
	snprintf(config, sizeof config, "{\"model_type\":\"%s\",\"tie_word_embeddings\":%s}", types[family / 2 % 3],
		family % 2 ? "true" : "false");
	if (phi_config_describe(m, config, strlen(config), &err) < 0 || !phi_model_add_storage(m, &err))
		abort();
	if (phi_family_assign(m, &err) < 0 || !m->family)
		abort();
	return m;
}

static void
add(struct phi_model *m, const uint8_t *p)
{
	static const enum phi_type_id types[] = { PHI_F32, PHI_BF16, PHI_Q4_0, PHI_Q8_0 };
	const struct phi_family_tensor *e = m->family->tensors;
	struct phi_err err = { 0 };
	uint64_t bytes;
	for (unsigned i = p[0] / 2; i > 0 && (e[1].canonical || e[1].gguf); i--)
		e++;
	struct phi_tensor *const t = phi_model_add_tensor(m, &err);
	t->name = phi_family_spell(e->canonical ? e->canonical : e->gguf,
		(struct phi_holes){ p[1] & 1, p[1] >> 4 }, m->arena, &err);
	t->type = phi_type_of(types[p[1] >> 1 & 3]);
	t->rank = 1 + p[2] % 3;
	for (unsigned i = 0; i < t->rank; i++)
		t->shape[i] = p[3 + i] % 40;
	t->shape[t->rank - 1] *= t->type->elements;
	t->nplanes = 1;
	t->plane[0] = (struct phi_plane){ .offset = m->storages[0].size, .dense = true };
	if (!phi_tensor_bytes(t, &bytes))
		abort();
	m->storages[0].size += bytes;
}

static void
check(const struct phi_model *m)
{
	for (size_t i = 0; i < m->ntensors; i++) {
		const struct phi_tensor *const t = &m->tensors[i];
		uint64_t bytes;
		if (!phi_tensor_bytes(t, &bytes) || t->plane[0].offset + bytes > m->storages[0].size ||
			(t->alias != PHI_NONE && t->alias >= i))
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct phi_err err = { 0 };
	if (!size)
		return 0;
	struct phi_model *const m[2] = { make_model(data[0]), make_model(data[0]) };
	for (size_t at = 1; at + TENSOR_BYTES <= size && at < 1 << 12; at += TENSOR_BYTES)
		add(m[data[at] & 1], data + at);
	if (phi_family_assign(m[0], &err) == 0 && phi_family_assign(m[1], &err) == 0 &&
		phi_model_check(m[0], &err) == 0 && phi_model_check(m[1], &err) == 0) {
		if (phi_family_align(m[0], m[1], &err) < 0 || phi_family_align(m[1], m[0], &err) < 0)
			abort();
		check(m[0]);
		check(m[1]);
	}
	phi_model_free(m[0]);
	phi_model_free(m[1]);
	return 0;
}
