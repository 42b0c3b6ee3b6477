#include "formats/pytorch/read.h"

#include "formats/core/bytes.h"
#include "formats/core/checked.h"
#include "formats/core/memory.h"
#include "formats/core/spool.h"
#include "formats/pytorch/check.h"

#include <string.h>

static int
read_storage(struct phi_source *source, uint32_t storage, uint64_t offset, void *dst, size_t n,
	struct phi_err *err)
{
	const struct phi_pytorch *const s = source->state;
	const struct phi_storage *const range = &source->model->storages[storage];
	if (!phi_fits(offset, n, range->size))
		return phi_fail(err, PHI_ARGUMENT, "read beyond the end of a storage");
	if (s->made && s->made[storage])
		return phi_torch_made_read(source, s->made[storage], offset, dst, n, err);
	if (s->spool_offset && s->spool_offset[storage] != UINT64_MAX)
		return phi_spool_read(s->spool, s->spool_offset[storage] + offset, dst, n, err);
	return phi_member_read(s->member, range->offset + offset, dst, n, err);
}

static void
close_state(struct phi_source *source)
{
	struct phi_pytorch *const s = source->state;
	phi_spool_free(s->spool);
	phi_free(s->spool_offset);
	phi_member_close(s->member);
	phi_free(s);
}

int
phi_pytorch_settle(struct phi_source *source, struct phi_torch *torch, const char *file,
	uint64_t pickle, struct phi_err *err)
{
	struct phi_pytorch *const s = source->state;
	if (phi_torch_settle(torch, source, file, pickle, err))
		return -1;
	s->made = phi_arena_calloc(source->model->arena, torch->count + 1, sizeof *s->made, err);
	for (size_t i = 0; s->made && i < torch->count; i++)
		s->made[i] = torch->storages[i].made;
	return s->made ? 0 : -1;
}

static const struct phi_source_ops ops = {
	.read = read_storage,
	.check = phi_pytorch_check,
	.layout = phi_pytorch_layout,
	.close = close_state,
};

bool
phi_pytorch_is_tar(struct phi_store *store)
{
	return phi_store_has(store, "storages") && phi_store_has(store, "tensors") &&
	       phi_store_has(store, "pickle");
}

bool
phi_pytorch_is_flat(const uint8_t *head, size_t size)
{
	return size >= 8 && !memcmp(head + 4, "PTMF", 4);
}

static int
describe(struct phi_source *source, struct phi_store *store, const struct phi_open_options *options,
	struct phi_err *err)
{
	struct phi_pytorch *const s = source->state;
	const uint8_t *head;
	size_t n;
	if (phi_store_kind(store) == PHI_STORE_TAR)
		return phi_fail(err, PHI_UNSUPPORTED,
			"a checkpoint of PyTorch 0.1, a tar; load it and save it by a newer one");
	source->model->name = phi_arena_strdup(source->model->arena, phi_store_base(store), err);
	s->member = phi_store_member(store, NULL, err);
	if (!source->model->name || !s->member || phi_member_peek(s->member, &head, &n, err))
		return -1;
	if (phi_member_sequential(s->member))
		return phi_fail(err, PHI_ARGUMENT, "a pipe must be spooled first");
	s->zip = n >= 4 && phi_load32(head) == 0x04034B50;
	if (s->zip)
		return phi_pytorch_zip(source, options, err);
	if (phi_pytorch_is_legacy(head, n))
		return phi_pytorch_legacy(source, err);
	if (phi_pytorch_is_flat(head, n))
		return phi_fail(err, PHI_UNSUPPORTED,
			"a flatbuffer of PyTorch Mobile; save it as a TorchScript archive");
	if (n >= 2 && head[0] == 0x80 && head[1] <= 5)
		return phi_fail(err, PHI_UNSUPPORTED, "a pickle, but not one of torch's files");
	return phi_fail(err, PHI_FORMAT, "neither a zip nor an old torch file");
}

struct phi_source *
phi_pytorch_open(
	struct phi_store *store, const struct phi_open_options *options, struct phi_err *err)
{
	struct phi_source *const source = phi_source_new("pytorch", &ops, sizeof(struct phi_pytorch), err);
	if (source && !describe(source, store, options, err))
		return source;
	phi_source_close(source);
	return NULL;
}
