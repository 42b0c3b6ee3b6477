/* Any bytes, as a GGUF in a file and through a pipe: refused with a message, or described the same
 * way by both, every tensor readable, and written out as a GGUF that reads back with the same keys
 * and tensors; checked, laid out and edited in place. */
#include "formats/core/edit.h"
#include "formats/core/finite.h"
#include "formats/core/patch.h"
#include "formats/core/sink.h"
#include "formats/core/source.h"
#include "formats/gguf/gguf.h"
#include "tests/fuzz/memory.h"

#include <string.h>

enum { PIPE_MAX = 64 << 10, WRITTEN_MAX = 1 << 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct opened {
	int fd;
	struct phi_store *store;
	struct phi_source *source;
};

/* Takes fd. */
static struct opened
open_fd(int fd)
{
	static const struct phi_spool_options spool = { .refuse = true };
	struct opened o = { .fd = fd };
	struct phi_err err = { 0 };
	o.store = phi_store_open(fuzz_path(fd).text, &spool, &err);
	must(o.store != NULL);
	o.source = phi_gguf_open(o.store, NULL, &err);
	must(o.source || (err.kind != PHI_OK && err.text[0] && !strchr(err.text, '\n')));
	return o;
}

static void
close_opened(struct opened *o)
{
	phi_source_close(o->source);
	phi_store_close(o->store);
	close(o->fd);
}

static void
read_storages(struct phi_source *source, size_t size)
{
	struct phi_err err = { 0 };
	uint8_t bytes[512];
	for (uint32_t i = 0; i < source->model->nstorages; i++) {
		const struct phi_storage *const s = &source->model->storages[i];
		must(s->size <= size && s->offset <= size - s->size);
		const size_t n = s->size < sizeof bytes ? s->size : sizeof bytes;
		must(!phi_source_read(source, i, s->size - n, bytes, n, &err));
	}
	must(!phi_source_finish(source, &err));
}

static void
same_models(const struct phi_model *a, const struct phi_model *b)
{
	must(a->metadata.count == b->metadata.count && a->ntensors == b->ntensors);
	for (size_t i = 0; i < a->metadata.count; i++) {
		const struct phi_meta *const x = &a->metadata.items[i], *const y =
										&b->metadata
											 .items[i];
		must(!strcmp(x->key, y->key) && x->value.kind == y->value.kind);
	}
	for (size_t i = 0; i < a->ntensors; i++) {
		const struct phi_tensor *const x = &a->tensors[i], *const y = &b->tensors[i];
		must(!strcmp(x->name, y->name) && x->type == y->type);
	}
}

/* The planned header before as many zeros as are planned. */
static void
write_back(const struct phi_model *model)
{
	struct phi_err err = { 0 };
	struct phi_model *const lowered = phi_gguf_lower(model, NULL, &err);
	must(lowered != NULL);
	struct phi_plan *const plan = phi_plan_new(lowered, &phi_format_gguf, NULL, &err);
	must(plan || err.kind == PHI_UNSUPPORTED); /* a name of over 63 bytes */
	if (plan && plan->files[0].size <= WRITTEN_MAX) {
		const int fd = fuzz_file(plan->items[0].literal, plan->items[0].size);
		must(!ftruncate(fd, (off_t)plan->files[0].size));
		struct opened o = open_fd(fd);
		must(o.source && o.source->model->nwarnings == 0);
		same_models(model, o.source->model);
		close_opened(&o);
	}
	phi_plan_free(plan);
}

static int
take_finding(void *ctx, const struct phi_finding *finding, struct phi_err *err)
{
	(void)ctx;
	(void)err;
	must(finding->rule && finding->text[0] && !strchr(finding->text, '\n'));
	return 0;
}

static int
take_region(void *ctx, const struct phi_region *region, struct phi_err *err)
{
	uint64_t *const at = ctx;
	(void)err;
	must(region->size && region->offset == *at);
	*at += region->size;
	return 0;
}

/* Whatever can be described can be checked; its layout covers every byte once. */
static void
examine(struct phi_source *source, size_t size)
{
	struct phi_err err = { 0 };
	uint64_t at = 0;
	const struct phi_findings findings = { .emit = take_finding };
	const struct phi_regions regions = { .emit = take_region, .ctx = &at };
	must(!source->ops->check(source, &findings, &err));
	must(!phi_check_finite(source, &findings, &err));
	must(!source->ops->layout(source, &regions, &err) && at == size);
}

/* An edit in place leaves the length of the header, or is refused; what it makes opens. */
static void
edit(const uint8_t *data, size_t size, struct phi_store *store)
{
	static const struct phi_edit edits[] = { { PHI_EDIT_SET, "fuzz:u8=1" },
		{ PHI_EDIT_UNSET, "[!fg]*" } };
	struct phi_err err = { 0 };
	for (size_t i = 0; i < 2; i++) {
		struct phi_patch patch = { 0 };
		if (!phi_gguf_patch(store, &edits[i], 1, &patch, &err)) {
			must(patch.before.size == patch.after.size && patch.before.size <= size &&
				!memcmp(patch.before.data, data, patch.before.size));
			const int fd = fuzz_file(patch.after.data, patch.after.size);
			must(write(fd, data + patch.after.size, size - patch.after.size) ==
				(ssize_t)(size - patch.after.size));
			struct opened o = open_fd(fd);
			must(o.source != NULL);
			close_opened(&o);
		}
		phi_patch_free(&patch);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct opened file = open_fd(fuzz_file(data, size));
	if (file.source) {
		must(!phi_model_check(file.source->model, NULL));
		read_storages(file.source, size);
		write_back(file.source->model);
		examine(file.source, size);
		edit(data, size, file.store);
	}
	if (size <= PIPE_MAX) {
		struct opened piped = open_fd(fuzz_pipe(data, size));
		must(!file.source || piped.source);
		if (file.source) {
			same_models(file.source->model, piped.source->model);
			read_storages(piped.source, size);
		}
		close_opened(&piped);
	}
	close_opened(&file);
	return 0;
}
