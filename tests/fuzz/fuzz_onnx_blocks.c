/* An ONNX model of any bytes whose weights become blocks: lowered, chosen and planned in several ways, or refused, never
 * more; the same graph each time. The size says which weights are kept as they are. */
#include "formats/core/memory.h"
#include "formats/onnx/graph.h"
#include "formats/onnx/read.h"
#include "formats/onnx/write.h"
#include "quant/quant.h"
#include "tests/fuzz/look.h"
#include "tests/fuzz/open.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const struct phi_format phi_format_onnx;

static const struct phi_graph_options ways[] = {
	{ .group = 16 },
	{ .group = 32, .symmetry = PHI_SYMMETRY_NO, .accuracy = 4 },
	{ .group = 16, .qdq = true },
	{ .group = 16, .qdq = true, .symmetry = PHI_SYMMETRY_NO },
	{ .group = 64, .algorithm = PHI_ALGORITHM_RTN },
	{ .group = 16, .algorithm = PHI_ALGORITHM_K_QUANT },
};
enum { NWAYS = sizeof ways / sizeof *ways };

static size_t kept; /* every so many of the weights */

static struct phi_plan *
plan_of(struct phi_model *lowered, const struct phi_graph_options *graph, bool external)
{
	const struct phi_plan_options options = { .size = sizeof options, .graph = graph, .external = external };
	struct phi_err err = { 0 };
	struct phi_plan *const plan = phi_plan_new(lowered, &phi_format_onnx, &options, &err);
	must(plan || (err.text[0] && !strchr(err.text, '\n')));
	return plan;
}

/* The side file that a plan was made with: all of the new graph. */
static void
same_graph(const struct phi_plan *a, const struct phi_plan *b)
{
	if (!a || !b)
		return;
	const struct phi_side *const x = phi_model_side(a->model, PHI_ONNX_SIDE), *const y = phi_model_side(b->model, PHI_ONNX_SIDE);
	must(x && y && x->size == y->size && !memcmp(x->data, y->data, x->size));
}

static struct phi_model *
lower(const struct phi_model *model, const char *recipe, const struct phi_graph_options *graph)
{
	const struct phi_lower_options options = { .size = sizeof options, .recipe = recipe, .graph = graph };
	const struct phi_type *const embedding = phi_type_named("ONNX4_G16_F32");
	const struct phi_recipe_options choice = { .size = sizeof choice, .recipe = recipe, .graph = graph,
		.group = graph->group, .embedding_type = embedding };
	struct phi_err err = { 0 };
	struct phi_model *const lowered = phi_onnx_lower(model, &options, &err);
	if (!lowered || phi_choose(lowered, &choice, &err)) {
		must(err.text[0]);
		phi_model_free(lowered);
		return NULL;
	}
	for (size_t i = 0; i < lowered->ntensors; i++) /* as --keep does: the float it was; filled rows are no more */
		if (!lowered->tensors[i].fixed && i % kept == 0 && !lowered->tensors[i].parts->filled)
			lowered->tensors[i].type = lowered->origin->tensors[lowered->tensors[i].parts->tensor].type;
	return lowered;
}

static void
quantize(struct phi_source *source, const struct phi_graph_options *graph, bool external)
{
	struct phi_model *const a = lower(source->model, "int4", graph), *const b = a ? lower(source->model, "int4", graph) : NULL;
	struct phi_plan *const first = a ? plan_of(a, graph, external) : NULL, *const again = b ? plan_of(b, graph, external) : NULL;
	must(!first == !again);
	same_graph(first, again);
	phi_plan_free(first);
	phi_plan_free(again);
}

static void
look(struct phi_source *source)
{
	struct phi_err err = { 0 };
	if (phi_model_check(source->model, &err) || phi_model_find_aliases(source->model, &err))
		return;
	for (size_t i = 0; i < NWAYS; i++)
		quantize(source, &ways[i], i % 2);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	kept = 2 + size % 5;
	return fuzz_open_then(data, size, phi_onnx_open, look);
}
