/* An ONNX model of any bytes: scanned, read, its graph checked and listed, and written again, or refused, never more.
 * What is written reads back, and is then written as it is. */
#include "formats/core/buffer.h"
#include "formats/onnx/read.h"
#include "formats/onnx/write.h"
#include "tests/fuzz/look.h"
#include "tests/fuzz/open.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const struct phi_format phi_format_onnx;

enum { WRITTEN_MAX = 4 << 20 };

/* What was read can be planned: the graph is its own. */
static struct phi_plan *
plan_again(struct phi_source *source, bool external)
{
	const struct phi_plan_options options = { .size = sizeof options, .external = external };
	const struct phi_lower_options lower = { .size = sizeof lower };
	struct phi_err err = { 0 };
	struct phi_model *const lowered = phi_onnx_lower(source->model, &lower, &err);
	struct phi_plan *const plan = lowered ? phi_plan_new(lowered, &phi_format_onnx, &options, &err) : NULL;
	must(plan || err.text[0]);
	return plan;
}

/* Appends what an item is; false: the source does not give it. */
static bool
append(struct phi_source *source, const struct phi_item *item, struct phi_buffer *out)
{
	struct phi_err err = { 0 };
	must(item->offset == out->size && !phi_buffer_zeros(out, (size_t)item->size, &err));
	uint8_t *const dst = out->data + item->offset;
	if (item->literal)
		memcpy(dst, item->literal, (size_t)item->size);
	return item->literal || !phi_source_read(source, source->model->tensors[item->tensor].plane[0].storage, 0, dst,
					(size_t)item->size, &err);
}

/* The bytes of a model in one file. */
static bool
write_again(struct phi_source *source, struct phi_buffer *out)
{
	struct phi_plan *const plan = plan_again(source, false);
	bool written = plan && plan->nfiles == 1 && plan->files[0].size <= WRITTEN_MAX;
	for (size_t i = 0; written && i < plan->nitems; i++)
		written = append(source, &plan->items[i], out);
	phi_plan_free(plan);
	return written;
}

static struct phi_buffer first;

static void
compare(struct phi_source *source)
{
	struct phi_err err = { 0 };
	struct phi_buffer second = { 0 };
	must(!phi_model_check(source->model, &err) && !phi_model_find_aliases(source->model, &err));
	must(write_again(source, &second));
	must(second.size == first.size && !memcmp(second.data, first.data, first.size));
	phi_buffer_free(&second);
	first.size = 0; /* it was compared */
}

static int
take_node(void *ctx, const struct phi_node_view *node, struct phi_err *err)
{
	(void)ctx;
	(void)err;
	must(node->graph && node->name && node->op && node->domain);
	return 0;
}

static void
look(struct phi_source *source)
{
	const struct phi_nodes nodes = { .emit = take_node };
	struct phi_err err = { 0 };
	if (phi_model_check(source->model, &err) || phi_model_find_aliases(source->model, &err))
		return;
	fuzz_look(source);
	must(!source->ops->graph(source, &nodes, &err));
	phi_plan_free(plan_again(source, true));
	if (write_again(source, &first) && first.size) {
		fuzz_open_then(first.data, first.size, phi_onnx_open, compare);
		must(!first.size);
	}
	phi_buffer_free(&first);
}

static void
scan(const uint8_t *data, size_t size)
{
	static const struct phi_spool_options spool = { .refuse = false };
	const struct phi_findings findings = { .emit = fuzz_take_finding };
	const int fd = fuzz_file(data, size);
	struct phi_err err = { 0 };
	struct phi_store *const store = phi_store_open(fuzz_path(fd).text, &spool, &err);
	must(store && !phi_onnx_scan_store(store, &findings, &err));
	phi_store_close(store);
	close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scan(data, size);
	return fuzz_open_then(data, size, phi_onnx_open, look);
}
