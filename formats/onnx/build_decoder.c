/* The decoder that ONNX Runtime GenAI runs, node by node as its own builder makes it (facts/onnx.md 4), but for what
 * that one gets wrong: the sliding window is kept, norms have the configuration's epsilon, rope caches lie beside
 * the graph.
 *
 *     input_ids, attention_mask, past_key_values.N.key, .value  ->  logits, present.N.key, .value
 *
 *     x -> SkipSimplifiedLayerNormalization -> MatMul -> GroupQueryAttention (rotary, window, cache) -> MatMul -> ...
 */
#include "formats/onnx/build_decoder.h"

#include "formats/core/memory.h"
#include "formats/onnx/data.h"
#include "formats/onnx/genai.h"
#include "formats/onnx/graph_lower.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { IR_VERSION = 10, OPSET = 22 };

void
phi_onnx_refuse(struct phi_onnx_decoder *d, const char *fmt, ...)
{
	char text[256];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	if (!d->b.failed)
		phi_fail(d->b.err, PHI_UNSUPPORTED, "%s", text);
	d->b.failed = true;
}

const char *
phi_onnx_value(const struct phi_onnx_decoder *d, const struct phi_op *op, int i)
{
	return op->in[i] == PHI_NONE || !d->values[op->in[i]] ? "" : d->values[op->in[i]];
}

/* A sum that a norm needs next is made by the norm. */
static bool
is_fused(const struct phi_onnx_decoder *d, uint32_t add)
{
	for (size_t i = add + 1; i < d->graph.nops; i++)
		for (int k = 0; k < 3; k++)
			if (d->graph.ops[i].in[k] == add)
				return d->graph.ops[i].kind == PHI_OP_NORM;
	return false;
}

static const char *
norm_of_sum(struct phi_onnx_decoder *d, const struct phi_op *op, const char *module, const char *gamma,
	const char *beta)
{
	const struct phi_op *const add = &d->graph.ops[op->in[0]];
	const char *const path = phi_onnx_text(&d->b, "%s/SkipLayerNorm", phi_onnx_path(d, module));
	const char *const y = phi_onnx_node(&d->b, beta ? "com.microsoft:SkipLayerNormalization"
							: "com.microsoft:SkipSimplifiedLayerNormalization",
		path, (const char *const[]){ phi_onnx_value(d, add, 0), phi_onnx_value(d, add, 1), gamma, beta, NULL });
	phi_onnx_float(&d->b, "epsilon", d->h.norm_epsilon);
	if (phi_graph_uses(&d->graph, op->in[0]) > 1) {
		const char *const sum = phi_onnx_text(&d->b, "%s/output_3", path);
		phi_onnx_node_output(&d->b, "");
		phi_onnx_node_output(&d->b, "");
		phi_onnx_node_output(&d->b, sum);
		d->values[op->in[0]] = sum;
	}
	return y;
}

static const char *
norm(struct phi_onnx_decoder *d, const struct phi_op *op, const char *module)
{
	const char *const gamma = phi_onnx_vector(d, &op->weight);
	const char *const beta = op->bias.name ? phi_onnx_vector(d, &op->bias) : NULL;
	if (d->graph.ops[op->in[0]].kind == PHI_OP_ADD)
		return norm_of_sum(d, op, module, gamma, beta);
	const char *const path = phi_onnx_text(&d->b, "%s/LayerNorm", phi_onnx_path(d, module));
	const char *const y = phi_onnx_node(&d->b, beta ? "LayerNormalization" : "SimplifiedLayerNormalization", path,
		(const char *const[]){ phi_onnx_value(d, op, 0), gamma, beta, NULL });
	phi_onnx_int(&d->b, "axis", -1);
	phi_onnx_float(&d->b, "epsilon", d->h.norm_epsilon);
	phi_onnx_int(&d->b, "stash_type", 1);
	return y;
}

static const char *
linear(struct phi_onnx_decoder *d, const struct phi_op *op, const char *module)
{
	const char *const path = phi_onnx_path(d, module);
	const char *const y = phi_onnx_product(d, phi_onnx_text(&d->b, "%s/MatMul", path), phi_onnx_value(d, op, 0), &op->weight);
	if (!op->bias.name)
		return y;
	return phi_onnx_node(&d->b, "Add", phi_onnx_text(&d->b, "%s/Add", path),
		(const char *const[]){ y, phi_onnx_vector(d, &op->bias), NULL });
}

static const char *
silu(struct phi_onnx_decoder *d, const struct phi_op *op, const char *path)
{
	const char *const x = phi_onnx_value(d, op, 0);
	const char *const s = phi_onnx_node(&d->b, "Sigmoid", phi_onnx_text(&d->b, "%s/Sigmoid", path),
		(const char *const[]){ x, NULL });
	return phi_onnx_node(&d->b, "Mul", phi_onnx_text(&d->b, "%s/Mul", path), (const char *const[]){ x, s, NULL });
}

static const char *
lower_op(struct phi_onnx_decoder *d, const struct phi_op *op)
{
	struct phi_onnx_build *const b = &d->b;
	const char *const module = phi_onnx_module(d, op), *const path = phi_onnx_path(d, module);
	const char *const two[] = { phi_onnx_value(d, op, 0), phi_onnx_value(d, op, 1), NULL };
	const char *y;
	switch (op->kind) {
	case PHI_OP_EMBED:
		return phi_onnx_rows(d, path, "input_ids", &op->weight);
	case PHI_OP_NORM:
		return norm(d, op, module);
	case PHI_OP_LINEAR:
		return linear(d, op, module);
	case PHI_OP_ATTENTION:
		return phi_onnx_attention(d, op, module);
	case PHI_OP_ADD:
		return is_fused(d, (uint32_t)(op - d->graph.ops)) ? NULL
			: phi_onnx_node(b, "Add", phi_onnx_text(b, "%s/Add", path), two);
	case PHI_OP_MULTIPLY:
		return phi_onnx_node(b, "Mul", phi_onnx_text(b, "%s/Mul", path), two);
	case PHI_OP_SILU:
		return silu(d, op, path);
	case PHI_OP_GELU:
		y = phi_onnx_node(b, "Gelu", phi_onnx_text(b, "%s/Gelu", path),
			(const char *const[]){ phi_onnx_value(d, op, 0), NULL });
		phi_onnx_string(b, "approximate", "tanh");
		return y;
	case PHI_OP_EXPERTS:
		return phi_onnx_experts(d, path, op);
	}
	return NULL;
}

static void
declare_cache(struct phi_onnx_decoder *d, bool output)
{
	struct phi_onnx_build *const b = &d->b;
	const struct phi_onnx_dim dims[] = { { "batch_size", 0 }, { NULL, d->h.kv_heads },
		{ output ? "total_sequence_length" : "past_sequence_length", 0 }, { NULL, d->h.head_dim } };
	const int32_t type = phi_onnx_type_number(d->io);
	for (uint32_t i = 0; i < 2 * d->h.layers; i++) {
		const char *const name = phi_onnx_text(b, "%s.%" PRIu32 ".%s", output ? "present" : "past_key_values",
			i / 2, i % 2 ? "value" : "key");
		if (output)
			phi_onnx_build_output(b, name, type, dims, 4);
		else
			phi_onnx_build_input(b, name, type, dims, 4);
	}
}

static void
declare(struct phi_onnx_decoder *d)
{
	struct phi_onnx_build *const b = &d->b;
	const int32_t integers = phi_onnx_type_number(phi_type_of(PHI_I64));
	const struct phi_onnx_dim ids[] = { { "batch_size", 0 }, { "sequence_length", 0 } };
	const struct phi_onnx_dim mask[] = { { "batch_size", 0 }, { "total_sequence_length", 0 } };
	const struct phi_onnx_dim logits[] = { { "batch_size", 0 }, { "sequence_length", 0 }, { NULL, d->h.vocab } };
	phi_onnx_build_input(b, "input_ids", integers, ids, 2);
	phi_onnx_build_input(b, "attention_mask", integers, mask, 2);
	if (d->rotates_outside)
		phi_onnx_build_input(b, "position_ids", integers, ids, 2);
	declare_cache(d, false);
	phi_onnx_build_output(b, "logits", phi_onnx_type_number(d->io), logits, 3);
	declare_cache(d, true);
}

static void
lower_graph(struct phi_onnx_decoder *d)
{
	declare(d);
	phi_onnx_lengths(d);
	phi_onnx_rope(d);
	for (size_t i = 0; i < d->graph.nops && !d->b.failed; i++) {
		const char *const y = lower_op(d, &d->graph.ops[i]);
		if (y)
			d->values[i] = y;
	}
	phi_onnx_rename(&d->b, "logits");
}

/* The message around the graph, packed into the plan's arena as a file. */
static int
add_model(struct phi_onnx_decoder *d, struct phi_err *err)
{
	struct phi_plan *const plan = d->plan;
	struct phi_buffer bytes = { 0 };
	PhiOnnx__Model model = PHI_ONNX__MODEL__INIT;
	PhiOnnx__Opset opsets[2] = { PHI_ONNX__OPSET__INIT, PHI_ONNX__OPSET__INIT }, *list[2] = { &opsets[0], &opsets[1] };
	PhiOnnx__Entry *props[] = { phi_onnx_entry(&d->b, "phi.family", plan->model->family->name) };
	opsets[0].domain = phi_onnx_text(&d->b, "%s", "");
	opsets[1].domain = phi_onnx_text(&d->b, "com.microsoft");
	opsets[0].has_version = opsets[1].has_version = true;
	opsets[0].version = OPSET;
	opsets[1].version = 1;
	model.has_ir_version = true;
	model.ir_version = IR_VERSION;
	model.producer_name = phi_onnx_text(&d->b, "phi-tools");
	model.graph = &d->b.graph;
	model.opset_import = list;
	model.n_opset_import = 2;
	model.metadata_props = props;
	model.n_metadata_props = 1;
	int result = phi_onnx_build_pack(&d->b, &model, &bytes);
	const void *const literal = result ? NULL : phi_arena_copy(plan->arena, bytes.data, bytes.size, err);
	result = !literal || phi_plan_add_file(plan, PHI_ONNX_DECODER_FILE, err) ||
		phi_plan_add_literal(plan, "graph", plan->nfiles - 1, 0, literal, bytes.size, err);
	phi_buffer_free(&bytes);
	return result ? -1 : 0;
}

static int
find_names(struct phi_onnx_decoder *d, struct phi_err *err)
{
	const struct phi_model *const model = d->plan->model;
	d->names = phi_names_new(err);
	for (uint32_t i = 0; d->names && i < model->ntensors; i++) {
		const char *const name = model->tensors[i].canonical;
		if (name && phi_names_add(d->names, name, strlen(name), i, err) < 0)
			return -1;
	}
	return d->names ? 0 : -1;
}

/* Are the queries of the first layer a tensor of their own, not rows of one for all three? */
static bool
has_queries(const struct phi_onnx_decoder *d)
{
	static const char name[] = "model.layers.0.self_attn.q_proj.weight";
	return phi_names_find(d->names, name, sizeof name - 1) != PHI_NONE;
}

/* What is asked for now stands above what was when the model was lowered. */
static int
find_options(struct phi_onnx_decoder *d, struct phi_err *err)
{
	const struct phi_graph_options *const now = d->plan->options.graph;
	if (phi_onnx_noted_options(d->plan->model, &d->asked, err))
		return -1;
	if (now && now->device)
		d->asked.device = now->device;
	if (now && now->accuracy)
		d->asked.accuracy = now->accuracy;
	d->asked.qdq = d->asked.qdq || (now && now->qdq);
	return 0;
}

/* What the norms are: they are fixed when the model is lowered. */
static void
find_flow(struct phi_onnx_decoder *d)
{
	const struct phi_op *op = d->graph.ops;
	d->io = phi_type_of(PHI_F32);
	while (op->kind != PHI_OP_NORM)
		op++;
	const struct phi_tensor *const gamma = phi_onnx_tensor(d, &op->weight);
	if (gamma && gamma->type->id == PHI_F16)
		d->io = gamma->type;
}

static int
prepare(struct phi_onnx_decoder *d, struct phi_err *err)
{
	struct phi_plan *const plan = d->plan;
	const struct phi_model *const model = plan->model;
	if (find_options(d, err) || phi_family_hparams(model, &d->h, err) || find_names(d, err))
		return -1;
	d->rotates_outside = phi_onnx_rotates_outside(&d->h, &d->asked);
	if (d->h.layers > model->ntensors || d->h.experts > model->ntensors)
		return phi_fail(err, PHI_FORMAT, "%zu tensors are too few for the layers of the configuration",
			model->ntensors);
	if (phi_graph_make(model->family, &d->h, has_queries(d), plan->arena, &d->graph, err))
		return -1;
	find_flow(d);
	d->nplaced = model->ntensors;
	d->placed = phi_arena_calloc(plan->arena, d->nplaced, sizeof *d->placed, err);
	d->values = phi_arena_calloc(plan->arena, d->graph.nops, sizeof *d->values, err);
	return d->placed && d->values ? 0 : -1;
}

static int
build(struct phi_onnx_decoder *d, struct phi_err *err)
{
	if (prepare(d, err) || phi_plan_add_file(d->plan, PHI_ONNX_DECODER_DATA, err))
		return -1;
	lower_graph(d);
	return d->b.failed ? -1 : add_model(d, err);
}

int
phi_onnx_decoder_complete(struct phi_plan *plan, struct phi_err *err)
{
	struct phi_onnx_decoder d = { .plan = plan };
	if (!plan->model->family)
		return phi_fail(err, PHI_UNSUPPORTED, "no known family of models: a decoder is built of those only");
	phi_onnx_build_init(&d.b, plan->arena, "main_graph", err);
	int result = build(&d, err);
	if (!result)
		result = phi_onnx_genai_complete(plan, &d.h, d.asked.device, d.rotates_outside, err);
	phi_names_free(d.names);
	phi_graph_free(&d.graph);
	phi_onnx_build_free(&d.b);
	return result;
}
