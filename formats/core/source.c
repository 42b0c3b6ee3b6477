#include "formats/core/source.h"

#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/core/spool.h"

#include <string.h>

enum { SETTLE_BYTES = 1 << 20 };

struct phi_source *
phi_source_new(const char *format, const struct phi_source_ops *ops, size_t state_size, struct phi_err *err)
{
	struct phi_source *const source = phi_calloc(1, sizeof *source, err);
	if (!source)
		return NULL;
	source->ops = ops;
	source->model = phi_model_new(format, err);
	if (source->model && state_size)
		source->state = phi_calloc(1, state_size, err);
	if (source->model && (source->state || !state_size))
		return source;
	phi_model_free(source->model);
	phi_free(source);
	return NULL;
}

void
phi_source_close(struct phi_source *source)
{
	if (!source)
		return;
	if (source->ops->close)
		source->ops->close(source);
	phi_spool_free(source->spool);
	phi_free(source->spool_offset);
	phi_model_free(source->model);
	phi_store_close(source->store);
	phi_store_close(source->outer);
	phi_free(source);
}

int
phi_source_read(struct phi_source *source, uint32_t storage, uint64_t offset, void *dst, size_t n,
	struct phi_err *err)
{
	if (source->spool)
		return phi_spool_read(source->spool, source->spool_offset[storage] + offset, dst, n,
			err);
	return source->ops->read(source, storage, offset, dst, n, err);
}

int
phi_source_finish(struct phi_source *source, struct phi_err *err)
{
	if (!source->sequential || !source->ops->finish)
		return 0;
	if (source->ops->finish(source, err))
		return phi_source_blame(source, PHI_NONE, err);
	return 0;
}

int
phi_source_blame(const struct phi_source *source, uint32_t storage, struct phi_err *err)
{
	const char *const path = source->outer ? phi_store_path(source->outer) : NULL;
	const char *const slash = path ? strrchr(path, '/') : NULL;
	const char *const last = slash ? slash + 1 : path;
	const char *const file = storage != PHI_NONE ? source->model->storages[storage].file : NULL;
	struct phi_quoted q;
	if (file && (!path || (strcmp(file, last) && strcmp(file, "-"))))
		phi_context(err, "%s", phi_quote(&q, file));
	return path ? phi_context(err, "%s", phi_quote(&q, path)) : -1;
}

static int
spool_storage(struct phi_source *source, struct phi_spool *spool, uint32_t storage, void *buffer,
	struct phi_err *err)
{
	const uint64_t size = source->model->storages[storage].size;
	for (uint64_t at = 0; at < size;) {
		const size_t n = size - at < SETTLE_BYTES ? (size_t)(size - at) : SETTLE_BYTES;
		if (source->ops->read(source, storage, at, buffer, n, err) < 0)
			return phi_source_blame(source, storage, err);
		if (phi_spool_write(spool, buffer, n, err) < 0)
			return -1;
		at += n;
	}
	return 0;
}

static int
spool_all(struct phi_source *source, struct phi_spool *spool, uint64_t *offsets, struct phi_err *err)
{
	void *const buffer = phi_alloc(SETTLE_BYTES, err);
	int result = buffer ? 0 : -1;
	for (uint32_t i = 0; result == 0 && i < source->model->nstorages; i++) {
		offsets[i] = phi_spool_size(spool);
		result = spool_storage(source, spool, i, buffer, err);
	}
	phi_free(buffer);
	return result < 0 ? -1 : phi_source_finish(source, err);
}

int
phi_source_settle(struct phi_source *source, const struct phi_spool_options *options,
	struct phi_err *err)
{
	if (!source->sequential)
		return 0;
	const int settled = source->ops->settle ? source->ops->settle(source, err) : 0;
	if (settled) {
		source->sequential = settled < 0;
		return settled < 0 ? -1 : 0;
	}
	struct phi_spool *const spool = phi_spool_new(options, err);
	uint64_t *const offsets =
		spool ? phi_calloc(source->model->nstorages + 1, sizeof *offsets, err) : NULL;
	if (!offsets || spool_all(source, spool, offsets, err) < 0) {
		phi_spool_free(spool);
		phi_free(offsets);
		return -1;
	}
	source->spool = spool;
	source->spool_offset = offsets;
	source->sequential = false;
	return 0;
}
