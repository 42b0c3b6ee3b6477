/* Weights whose members an operator of the graph names: codes in bytes from the lowest bits up, row after row,
 * scales and zero points in the same order. What they are is in struct phi_packing; here it becomes planes.
 *
 * Tensors of less than a byte an element lie as bytes do. A zero point is codes as the weight's are, or numbers:
 * of a float type, or of one byte where a code has one. What is as the blocks of a type are torn is of that type. */
#include "formats/packed/draft.h"

#include <inttypes.h>
#include <string.h>

static const struct phi_tensor *
member(const struct phi_draft *draft, const char *name, uint32_t *index)
{
	*index = name ? phi_names_find(draft->u->names, name, strlen(name)) : PHI_NONE;
	return *index == PHI_NONE ? NULL : &draft->u->model->tensors[*index];
}

static struct phi_packed_plane *
add_plane(struct phi_draft *draft, enum phi_packed_role role, const char *name)
{
	uint32_t index;
	const struct phi_tensor *const t = member(draft, name, &index);
	if (!t || t->nplanes != 1 || !t->plane[0].dense || t->plane[0].swap || t->type->class == PHI_CLASS_PACKED) {
		phi_left_raw(draft, "%s is not there as it is stored", name);
		return NULL;
	}
	return phi_draft_add(draft, role, index);
}

static bool
add_zeros(struct phi_draft *draft, const struct phi_packing *packing)
{
	struct phi_packed_plane *const zeros = add_plane(draft, PHI_PACKED_ZERO, packing->zeros);
	if (!zeros)
		return false;
	zeros->block[0] = packing->group[0];
	zeros->block[1] = packing->group[1];
	if (zeros->type->bytes == 1 && packing->bits < 8)
		zeros->bits = packing->bits;
	return true;
}

static bool
add_planes(struct phi_draft *draft, const struct phi_packing *packing)
{
	static const uint8_t high_first[2] = { 1, 0 };
	struct phi_packed_plane *const codes = add_plane(draft, PHI_PACKED_CODES, packing->codes);
	if (!codes)
		return false;
	codes->bits = packing->bits;
	codes->padded = packing->padded;
	codes->order = packing->high_first ? high_first : NULL;
	if (codes->type->bytes != 1) {
		phi_left_raw(draft, "its codes are %s", codes->type->name);
		return false;
	}
	struct phi_packed_plane *const scales = add_plane(draft, PHI_PACKED_SCALE, packing->scales);
	if (!scales)
		return false;
	scales->block[0] = packing->group[0];
	scales->block[1] = packing->group[1];
	draft->packed.wide = scales->type->id == PHI_F32;
	return !packing->zeros || add_zeros(draft, packing);
}

/* The type of blocks that the draft's planes are the fields of; NULL: they are something else. */
static const struct phi_type *
block_type(const struct phi_draft *draft, const struct phi_packing *packing)
{
	const struct phi_packed *const p = &draft->packed;
	const struct phi_packed_plane *const zeros = p->nplanes > 2 ? &p->plane[2] : NULL;
	const bool offset = p->meaning == PHI_CODE_OFFSET && !zeros;
	const bool codes = zeros && zeros->type->id == PHI_U8, numbers = zeros && zeros->type == p->plane[1].type;
	if ((!offset && (p->meaning != PHI_CODE_UNSIGNED || (!codes && !numbers))) || p->matrices != 1 || packing->rank != 2 || packing->high_first || packing->code ||
		packing->group[0] != 1 || packing->group[1] > UINT32_MAX || p->columns % packing->group[1])
		return NULL;
	return phi_type_onnx(packing->bits, (unsigned)packing->group[1], p->plane[1].type->id,
		codes ? PHI_ONNX_ZEROS : numbers ? PHI_ONNX_FLOATS : PHI_ONNX_MIDDLE);
}

/* A packing whose planes are as blocks are torn is blocks. */
static void
take_blocks(struct phi_draft *draft, const struct phi_packing *packing)
{
	struct phi_tensor blocks = draft->tensor;
	blocks.packed = NULL;
	blocks.type = block_type(draft, packing);
	if (!blocks.type || !phi_tensor_is_woven(&blocks))
		return;
	for (unsigned i = 0; i < blocks.nplanes; i++) {
		uint64_t bytes, there;
		const struct phi_tensor *const t = &draft->u->model->tensors[draft->member_of[i]];
		if (!phi_tensor_field_bytes(&blocks, i, &bytes) || !phi_tensor_bytes(t, &there) || bytes != there)
			return;
	}
	draft->tensor = blocks;
}

int
phi_recognise_packing(struct phi_draft *draft, const struct phi_packing *packing, struct phi_err *err)
{
	const struct phi_tensor *const codes = &draft->u->model->tensors[draft->trigger];
	struct phi_packed *const p = &draft->packed;
	const uint32_t there = phi_names_find(draft->u->names, packing->name, strlen(packing->name));
	p->matrices = packing->matrices;
	p->rows = packing->rows;
	p->columns = packing->columns;
	p->meaning = packing->meaning;
	draft->tensor.rank = packing->rank;
	memcpy(draft->tensor.shape, packing->shape, sizeof packing->shape);
	draft->tensor.multiplied = packing->by_rows ? PHI_MULTIPLIED_BY_ROWS : PHI_MULTIPLIED_UNKNOWN;
	draft->code = packing->code;
	draft->tag = packing->tag;
	draft->flat = true;
	if (!add_planes(draft, packing))
		return 0;
	const int made = phi_draft_finish(draft, there == PHI_NONE ? packing->name : codes->name, err);
	if (made > 0)
		take_blocks(draft, packing);
	return made;
}
