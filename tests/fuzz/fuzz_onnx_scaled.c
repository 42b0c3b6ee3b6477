/* An ONNX model of any bytes whose weights get one scale each, where every value has a range: lowered, surveyed and
 * planned, or refused, never more. The size says which weights are kept as they are. */
#include "formats/core/buffer.h"
#include "formats/core/json.h"
#include "formats/core/ranges.h"
#include "formats/core/survey_range.h"
#include "formats/onnx/graph.h"
#include "formats/onnx/read.h"
#include "formats/onnx/write.h"
#include "quant/quant.h"
#include "tests/fuzz/look.h"
#include "tests/fuzz/open.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const struct phi_format phi_format_onnx;

static size_t kept; /* every so many of the weights */

static void
add_range(struct phi_buffer *text, struct phi_names *names, const char *name)
{
	struct phi_err err = { 0 };
	if (!name || phi_names_add(names, name, strlen(name), 0, &err))
		return;
	phi_buffer_append(text, text->size > 1 ? "," : "", text->size > 1, &err);
	phi_json_append_string(text, name, strlen(name), &err);
	phi_buffer_printf(text, &err, ":[-%zu.5,%zu]", strlen(name) % 7, strlen(name) % 5);
}

static struct phi_ranges *
ranges_of(const PhiOnnx__Graph *g)
{
	struct phi_err err = { 0 };
	struct phi_buffer text = { 0 };
	struct phi_names *const names = phi_names_new(&err);
	phi_buffer_append(&text, "{", 1, &err);
	for (size_t i = 0; i < g->n_input; i++)
		add_range(&text, names, g->input[i]->name);
	for (size_t i = 0; i < g->n_node; i++)
		for (size_t k = 0; k < g->node[i]->n_output; k++)
			add_range(&text, names, g->node[i]->output[k]);
	phi_buffer_append(&text, "}", 1, &err);
	struct phi_ranges *const ranges = phi_ranges_parse((const char *)text.data, text.size, &err);
	phi_names_free(names);
	phi_buffer_free(&text);
	return ranges;
}

static void
choose(struct phi_model *lowered, const char *recipe)
{
	lowered->recipe = recipe;
	for (size_t i = 0; i < lowered->ntensors; i++)
		if (lowered->tensors[i].scaling && i % kept)
			lowered->tensors[i].type = lowered->tensors[i].scaling->type;
}

static void
quantize(struct phi_source *source, const char *recipe, const struct phi_graph_options *graph)
{
	const struct phi_lower_options lower = { .size = sizeof lower, .recipe = recipe, .graph = graph };
	const struct phi_plan_options options = { .size = sizeof options, .graph = graph };
	const struct phi_reduce_options reduce = { .size = sizeof reduce, .jobs = 1, .converters = &phi_quant_converters };
	struct phi_err err = { 0 };
	struct phi_model *const lowered = phi_onnx_lower(source->model, &lower, &err);
	if (lowered)
		choose(lowered, recipe);
	if (!lowered || phi_survey_range(source, lowered, &reduce, &err)) {
		must(err.text[0]);
		phi_model_free(lowered);
		return;
	}
	struct phi_plan *const plan = phi_plan_new(lowered, &phi_format_onnx, &options, &err);
	must(plan || (err.text[0] && !strchr(err.text, '\n')));
	phi_plan_free(plan);
}

static void
look(struct phi_source *source)
{
	const struct phi_side *const side = phi_model_side(source->model, PHI_ONNX_SIDE);
	struct phi_onnx_graph graph = { 0 };
	struct phi_err err = { 0 };
	if (phi_model_check(source->model, &err) || phi_model_find_aliases(source->model, &err))
		return;
	must(side && !phi_onnx_graph_open(&graph, side->data, side->size, source->model->arena, &err));
	struct phi_ranges *const ranges = graph.model->graph ? ranges_of(graph.model->graph) : NULL;
	const struct phi_graph_options plain = { .ranges = ranges };
	const struct phi_graph_options qnn = { .ranges = ranges, .per_channel = true, .device = PHI_DEVICE_QNN };
	quantize(source, "int8_dynamic", &plain);
	quantize(source, "int8_dynamic", &qnn);
	quantize(source, "w8a8", &plain);
	quantize(source, "w8a16", &qnn);
	phi_ranges_close(ranges);
	phi_onnx_graph_close(&graph);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	kept = 2 + size % 5;
	return fuzz_open_then(data, size, phi_onnx_open, look);
}
