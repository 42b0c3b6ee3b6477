/* Decoders: the neutral graph of each family, and the ONNX that is built of it (facts/onnx.md 4). */
#include "formats/models/graph.h"
#include "formats/onnx/genai.h"
#include "formats/onnx/graph.h"
#include "tests/unit/phi3_maker.h"

extern const struct phi_format phi_format_onnx_genai;

/* The neutral graph */

static const struct phi_family *
family_named(const char *name)
{
	const struct phi_family *const *f = phi_families;
	while (strcmp((*f)->name, name))
		f++;
	return *f;
}

static struct phi_graph
graph_of(const char *family, const struct phi_hparams *h, bool apart, struct phi_arena *arena)
{
	struct phi_err err = { 0 };
	struct phi_graph g;
	if (phi_graph_make(family_named(family), h, apart, arena, &g, &err))
		fail_msg("%s", err.text);
	return g;
}

static unsigned
count(const struct phi_graph *g, enum phi_op_kind kind)
{
	unsigned n = 0;
	for (size_t i = 0; i < g->nops; i++)
		n += g->ops[i].kind == kind;
	return n;
}

/* Operands come before what needs them, and everything but the last is needed. */
static void
is_in_order(const struct phi_graph *g)
{
	for (uint32_t i = 0; i < g->nops; i++) {
		for (int k = 0; k < 3; k++)
			assert_true(g->ops[i].in[k] == PHI_NONE || g->ops[i].in[k] < i);
		assert_true(phi_graph_uses(g, i) > 0 || i == g->nops - 1);
		assert_non_null(g->ops[i].name);
	}
	assert_int_equal(g->ops[0].kind, PHI_OP_EMBED);
	assert_int_equal(g->ops[g->nops - 1].kind, PHI_OP_LINEAR);
}

static void
operations_of_families(void **state)
{
	(void)state;
	static const struct {
		const char *family;
		bool apart;
		unsigned per_layer[PHI_OP_EXPERTS + 1]; /* by kind */
	} all[] = {
		{ "phi3", false, { [PHI_OP_NORM] = 2, [PHI_OP_LINEAR] = 5, [PHI_OP_ATTENTION] = 1, [PHI_OP_ADD] = 2,
			[PHI_OP_MULTIPLY] = 1, [PHI_OP_SILU] = 1 } },
		{ "phi3", true, { [PHI_OP_NORM] = 2, [PHI_OP_LINEAR] = 7, [PHI_OP_ATTENTION] = 1, [PHI_OP_ADD] = 2,
			[PHI_OP_MULTIPLY] = 1, [PHI_OP_SILU] = 1 } },
		{ "phi2", false, { [PHI_OP_NORM] = 1, [PHI_OP_LINEAR] = 6, [PHI_OP_ATTENTION] = 1, [PHI_OP_ADD] = 2,
			[PHI_OP_GELU] = 1 } },
		{ "phimoe", false, { [PHI_OP_NORM] = 2, [PHI_OP_LINEAR] = 5, [PHI_OP_ATTENTION] = 1, [PHI_OP_ADD] = 2,
			[PHI_OP_EXPERTS] = 1 } },
	};
	enum { LAYERS = 3 };
	const struct phi_hparams h = { .layers = LAYERS, .ffn = 64, .heads = 4, .kv_heads = 2, .head_dim = 8, .experts = 4 };
	struct phi_arena *const arena = phi_arena_new(NULL);
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct phi_graph g = graph_of(all[i].family, &h, all[i].apart, arena);
		is_in_order(&g);
		for (int k = PHI_OP_EMBED; k <= PHI_OP_EXPERTS; k++) {
			/* The embedding, the last norm and the head are no layer's. */
			const unsigned more = k == PHI_OP_EMBED || k == PHI_OP_NORM || k == PHI_OP_LINEAR;
			if (count(&g, (enum phi_op_kind)k) != LAYERS * all[i].per_layer[k] + more)
				fail_msg("%s: %u of kind %d", all[i].family, count(&g, (enum phi_op_kind)k), k);
		}
		phi_graph_free(&g);
	}
	phi_arena_free(arena);
}

static const struct phi_op *
op_named(const struct phi_graph *g, const char *name)
{
	for (size_t i = 0; i < g->nops; i++)
		if (!strcmp(g->ops[i].name, name))
			return &g->ops[i];
	fail_msg("no operation %s", name);
	return NULL;
}

static void
weights_of_operations(void **state)
{
	(void)state;
	struct phi_hparams h = { .layers = 2, .ffn = 64, .heads = 4, .kv_heads = 2, .head_dim = 8, .experts = 3, .tied = true };
	struct phi_arena *const arena = phi_arena_new(NULL);
	struct phi_graph g = graph_of("phi3", &h, false, arena);
	const struct phi_op *op = op_named(&g, "model.layers.1.mlp.up_proj");
	assert_string_equal(op->weight.name, "model.layers.1.mlp.up_proj.weight");
	assert_string_equal(op->weight.whole, "model.layers.1.mlp.gate_up_proj.weight");
	assert_true(op->weight.row == 64 && op->weight.rows == 64 && op->layer == 1);
	assert_null(op->bias.name);
	assert_string_equal(op_named(&g, "lm_head")->weight.name, "model.embed_tokens.weight");
	phi_graph_free(&g);
	h.tied = false;
	g = graph_of("phi2", &h, false, arena);
	assert_string_equal(op_named(&g, "lm_head")->weight.name, "lm_head.weight");
	assert_string_equal(op_named(&g, "lm_head")->bias.name, "lm_head.bias");
	assert_string_equal(op_named(&g, "model.layers.0.self_attn.q_proj")->bias.name, "model.layers.0.self_attn.q_proj.bias");
	phi_graph_free(&g);
	g = graph_of("phimoe", &h, false, arena);
	op = op_named(&g, "model.layers.1.block_sparse_moe");
	assert_string_equal(op->experts[2 * PHI_EXPERT_WEIGHTS + PHI_EXPERT_DOWN].name,
		"model.layers.1.block_sparse_moe.experts.2.w2.weight");
	assert_int_equal(op->experts[2 * PHI_EXPERT_WEIGHTS + PHI_EXPERT_DOWN].row, 2);
	phi_graph_free(&g);
	phi_arena_free(arena);
}

/* The ONNX */

#define PLAIN "\"original_max_position_embeddings\":131072,\"rope_theta\":10000.0,\"partial_rotary_factor\":0.5,"
#define LONG_8 "[1,1.5,2,2.5,3,3.5,4,4.5]"
#define LONG "\"original_max_position_embeddings\":4096,\"partial_rotary_factor\":0.5,\"rope_theta\":10000.0," \
	"\"rope_scaling\":{\"type\":\"longrope\",\"long_factor\":" LONG_8 ",\"short_factor\":" LONG_8 "},"
#define TIED "\"rms_norm_eps\":1e-05,\"tie_word_embeddings\":true"
#define UNTIED "\"rms_norm_eps\":1e-05,\"tie_word_embeddings\":false"

struct built {
	struct phi_model *model;
	struct phi_plan *plan;
	struct phi_onnx_graph graph;
	const PhiOnnx__Graph *g;
};

/* Matrices that are not fixed become `type`. */
static struct phi_plan *
plan_of(struct phi_model *model, enum phi_type_id type, const char *recipe, struct phi_err *err)
{
	const struct phi_lower_options lower = { .size = sizeof lower, .recipe = recipe };
	const struct phi_plan_options options = { .size = sizeof options };
	struct phi_model *const lowered = phi_onnx_decoder_lower(model, &lower, err);
	for (size_t i = 0; lowered && i < lowered->ntensors; i++)
		if (!lowered->tensors[i].fixed && lowered->tensors[i].rank == 2)
			lowered->tensors[i].type = phi_type_of(type);
	return lowered ? phi_plan_new(lowered, &phi_format_onnx_genai, &options, err) : NULL;
}

static struct built
build(const char *config, bool head, enum phi_type_id type, const char *recipe)
{
	struct phi_err err = { 0 };
	struct built b = { .model = model_of(config, head) };
	b.plan = plan_of(b.model, type, recipe, &err);
	if (!b.plan)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < b.plan->nitems; i++) {
		const struct phi_item *const item = &b.plan->items[i];
		if (item->literal && !strcmp(b.plan->files[item->file].name, "model.onnx"))
			assert_int_equal(phi_onnx_graph_open(&b.graph, item->literal, (size_t)item->size, b.model->arena, &err), 0);
	}
	assert_non_null(b.graph.model);
	b.g = b.graph.model->graph;
	return b;
}

static void
free_built(struct built *b)
{
	phi_onnx_graph_close(&b->graph);
	phi_plan_free(b->plan);
	phi_model_free(b->model);
}

static void
refused(const char *config, bool head, enum phi_type_id type, const char *why)
{
	struct phi_err err = { 0 };
	struct phi_model *const model = model_of(config, head);
	struct phi_plan *const plan = plan_of(model, type, NULL, &err);
	if (plan || !strstr(err.text, why))
		fail_msg("%s, not: %s", plan ? "built" : err.text, why);
	phi_model_free(model);
}

static const PhiOnnx__Node *
node_named(const struct built *b, const char *name)
{
	for (size_t i = 0; i < b->g->n_node; i++)
		if (!strcmp(b->g->node[i]->name, name))
			return b->g->node[i];
	fail_msg("no node %s", name);
	return NULL;
}

static const PhiOnnx__Tensor *
initializer(const struct built *b, const char *name)
{
	for (size_t i = 0; i < b->g->n_initializer; i++)
		if (!strcmp(b->g->initializer[i]->name, name))
			return b->g->initializer[i];
	fail_msg("no initializer %s", name);
	return NULL;
}

static const char *
external(const PhiOnnx__Tensor *t, const char *key)
{
	for (size_t i = 0; i < t->n_external_data; i++)
		if (!strcmp(t->external_data[i]->key, key))
			return t->external_data[i]->value;
	return NULL;
}

static unsigned
operators(const struct built *b, const char *op)
{
	unsigned n = 0;
	for (size_t i = 0; i < b->g->n_node; i++)
		n += !strcmp(b->g->node[i]->op_type, op);
	return n;
}

/* Values are what nodes before, inputs and initializers give, each name once; what is beside the graph lies in the file,
 * apart from all else but what is the same. */
static void
is_sound(const struct built *b)
{
	struct phi_names *const names = phi_names_new(NULL);
	for (size_t i = 0; i < b->g->n_input; i++)
		assert_int_equal(phi_names_add(names, b->g->input[i]->name, strlen(b->g->input[i]->name), 0, NULL), 0);
	for (size_t i = 0; i < b->g->n_initializer; i++) {
		const PhiOnnx__Tensor *const t = b->g->initializer[i];
		assert_int_equal(phi_names_add(names, t->name, strlen(t->name), 0, NULL), 0);
		if (!t->has_data_location)
			continue;
		const unsigned long long at = strtoull(external(t, "offset"), NULL, 10), n = strtoull(external(t, "length"), NULL, 10);
		bool found = false;
		for (size_t k = 0; k < b->plan->nitems; k++)
			found = found || (b->plan->items[k].offset == at && b->plan->items[k].size == n &&
				!strcmp(b->plan->files[b->plan->items[k].file].name, external(t, "location")));
		if (!found)
			fail_msg("%s: nothing is at %llu", t->name, at);
	}
	for (size_t i = 0; i < b->g->n_node; i++) {
		const PhiOnnx__Node *const n = b->g->node[i];
		for (size_t k = 0; k < n->n_input; k++)
			if (*n->input[k] && phi_names_find(names, n->input[k], strlen(n->input[k])) == PHI_NONE)
				fail_msg("%s: no %s", n->name, n->input[k]);
		for (size_t k = 0; k < n->n_output; k++)
			if (*n->output[k])
				assert_int_equal(phi_names_add(names, n->output[k], strlen(n->output[k]), 0, NULL), 0);
	}
	for (size_t i = 0; i < b->g->n_output; i++)
		assert_int_not_equal(phi_names_find(names, b->g->output[i]->name, strlen(b->g->output[i]->name)), PHI_NONE);
	phi_names_free(names);
}

/* The official builder makes 11 + 11 * layers nodes, two of them Constants, which are initializers here. */
static void
nodes_of_two_layers(void **state)
{
	(void)state;
	struct built b = build("{" SHAPE PLAIN UNTIED "}", true, PHI_F32, NULL);
	is_sound(&b);
	assert_int_equal(b.g->n_node, 9 + 11 * 2);
	assert_int_equal(b.graph.model->ir_version, 10);
	assert_int_equal(b.graph.model->n_opset_import, 2);
	assert_int_equal(b.graph.model->opset_import[0]->version, 22);
	assert_string_equal(b.graph.model->opset_import[1]->domain, "com.microsoft");
	assert_int_equal(operators(&b, "MatMul"), 5 * 2 + 1);
	assert_int_equal(operators(&b, "GroupQueryAttention"), 2);
	assert_int_equal(operators(&b, "SimplifiedLayerNormalization"), 1);
	assert_int_equal(operators(&b, "SkipSimplifiedLayerNormalization"), 4);
	assert_int_equal(operators(&b, "If"), 0);
	static const char *const names[] = { "/model/embed_tokens/Gather", "/model/layers.0/input_layernorm/LayerNorm",
		"/model/layers.1/input_layernorm/SkipLayerNorm", "/model/layers.0/attn/qkv_proj/MatMul",
		"/model/layers.1/attn/GroupQueryAttention", "/model/layers.0/attn/o_proj/MatMul",
		"/model/layers.0/post_attention_layernorm/SkipLayerNorm", "/model/layers.1/mlp/gate_proj/MatMul",
		"/model/layers.1/mlp/act_fn/Sigmoid", "/model/layers.1/mlp/act_fn/Mul", "/model/layers.1/mlp/down_proj/MatMul",
		"/model/layers.2/final_norm_layernorm/SkipLayerNorm", "/lm_head/MatMul" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		node_named(&b, names[i]);
	const PhiOnnx__Tensor *const w = initializer(&b, "model.layers.0.mlp.down_proj.MatMul.weight");
	assert_true(w->n_dims == 2 && w->dims[0] == 384 && w->dims[1] == 256);
	assert_string_equal(node_named(&b, "/lm_head/MatMul")->output[0], "logits");
	free_built(&b);
}

static void
inputs_and_outputs(void **state)
{
	(void)state;
	struct built b = build("{" SHAPE PLAIN UNTIED "}", true, PHI_F32, "f16");
	static const char *const in[] = { "input_ids", "attention_mask", "past_key_values.0.key", "past_key_values.0.value",
		"past_key_values.1.key", "past_key_values.1.value" };
	static const char *const out[] = { "logits", "present.0.key", "present.0.value", "present.1.key", "present.1.value" };
	assert_int_equal(b.g->n_input, 6);
	assert_int_equal(b.g->n_output, 5);
	for (size_t i = 0; i < 6; i++)
		assert_string_equal(b.g->input[i]->name, in[i]);
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(b.g->output[i]->name, out[i]);
	assert_int_equal(b.g->input[0]->type->tensor_type->elem_type, 7);
	assert_int_equal(b.g->input[2]->type->tensor_type->elem_type, 10);
	assert_int_equal(b.g->output[0]->type->tensor_type->elem_type, 10);
	assert_int_equal(b.g->input[2]->type->tensor_type->shape->dim[1]->dim_value, 2);
	assert_int_equal(b.g->output[0]->type->tensor_type->shape->dim[2]->dim_value, 300);
	free_built(&b);
}

static int64_t
attribute(const struct built *b, const char *name)
{
	return phi_onnx_attribute_int(node_named(b, "/model/layers.0/attn/GroupQueryAttention"), name, -99);
}

static void
attention_knows_its_window(void **state)
{
	(void)state;
	struct built b = build("{" SHAPE "\"sliding_window\":2047," PLAIN UNTIED "}", true, PHI_F32, NULL);
	assert_int_equal(attribute(&b, "local_window_size"), 2047);
	assert_int_equal(attribute(&b, "num_heads"), 8);
	assert_int_equal(attribute(&b, "kv_num_heads"), 2);
	assert_int_equal(attribute(&b, "do_rotary"), 1);
	free_built(&b);
	b = build("{" SHAPE "\"sliding_window\":262144," PLAIN UNTIED "}", true, PHI_F32, NULL);
	assert_int_equal(attribute(&b, "local_window_size"), -1);
	free_built(&b);
}

static void
long_contexts_choose_a_cache(void **state)
{
	(void)state;
	struct built b = build("{" SHAPE LONG UNTIED "}", true, PHI_F32, NULL);
	is_sound(&b);
	assert_int_equal(b.g->n_node, 9 + 11 * 2 + 2);
	const PhiOnnx__Node *const n = node_named(&b, "/model/rope_caches_subgraph/If");
	const PhiOnnx__Attribute *const then = phi_onnx_attribute(n, "then_branch"), *const other = phi_onnx_attribute(n, "else_branch");
	assert_string_equal(then->g->node[0]->input[0], "cos_cache_large");
	assert_string_equal(other->g->node[1]->input[0], "sin_cache_small");
	assert_int_equal(initializer(&b, "cos_cache_large")->dims[0], 131072);
	assert_int_equal(initializer(&b, "sin_cache_small")->dims[0], 4096);
	assert_int_equal(initializer(&b, "sin_cache_small")->dims[1], 8);
	assert_true(initializer(&b, "cos_cache_large")->has_data_location); /* beside the graph, not in it */
	free_built(&b);
}

/* Rotary sizes that attention does not take are rotated before it. */
static void
other_rotary_sizes(void **state)
{
	(void)state;
	struct built b = build("{" SHAPE LONGROPE "," UNTIED "}", true, PHI_F32, NULL); /* 24 of 32 */
	is_sound(&b);
	assert_int_equal(operators(&b, "RotaryEmbedding"), 4);
	assert_int_equal(attribute(&b, "do_rotary"), 0);
	assert_string_equal(b.g->input[2]->name, "position_ids");
	free_built(&b);
}

static void
a_tied_embedding_is_there_once(void **state)
{
	(void)state;
	struct built b = build("{" SHAPE PLAIN TIED "}", false, PHI_F32, NULL);
	is_sound(&b);
	unsigned wide = 0;
	for (size_t i = 0; i < b.plan->nitems; i++)
		wide += b.plan->items[i].size == 300 * 256 * 4;
	assert_int_equal(wide, 1);
	free_built(&b);
	b = build("{" SHAPE PLAIN TIED "}", false, PHI_ONNX4_G32_F32, NULL);
	is_sound(&b);
	const PhiOnnx__Node *const head = node_named(&b, "/lm_head/MatMul_Q4"), *const rows = node_named(&b, "/model/embed_tokens/Gather_Q4");
	assert_string_not_equal(head->input[1], rows->input[0]);
	assert_string_equal(external(initializer(&b, head->input[1]), "offset"), external(initializer(&b, rows->input[0]), "offset"));
	assert_int_equal(phi_onnx_attribute_int(rows, "bits", 0), 4);
	assert_true(rows->n_input == 4); /* with zero points: runtimes do not agree on what none means */
	free_built(&b);
}

static void
weights_in_blocks(void **state)
{
	(void)state;
	struct built b = build("{" SHAPE PLAIN UNTIED "}", true, PHI_ONNX8A_G32_F32, NULL);
	is_sound(&b);
	const PhiOnnx__Node *const n = node_named(&b, "/model/layers.0/mlp/down_proj/MatMul_Q8");
	assert_string_equal(n->op_type, "MatMulNBits");
	assert_int_equal(phi_onnx_attribute_int(n, "K", 0), 384);
	assert_int_equal(phi_onnx_attribute_int(n, "N", 0), 256);
	assert_int_equal(phi_onnx_attribute_int(n, "block_size", 0), 32);
	const PhiOnnx__Tensor *const codes = initializer(&b, n->input[1]), *const zeros = initializer(&b, n->input[3]);
	assert_true(codes->n_dims == 3 && codes->dims[0] == 256 && codes->dims[1] == 12 && codes->dims[2] == 32);
	assert_int_equal(zeros->dims[zeros->n_dims - 1], 12);
	assert_int_equal(operators(&b, "MatMul"), 0);
	free_built(&b);
}

static void
what_is_refused(void **state)
{
	(void)state;
	refused("{" SHAPE PLAIN UNTIED "}", true, PHI_Q4_0, "Q4_0");
	refused("{" SHAPE PLAIN UNTIED "}", false, PHI_F32, "lm_head.weight is missing");
	struct phi_err err = { 0 };
	struct phi_model *const m = model_of("{" SHAPE PLAIN UNTIED "}", true);
	assert_int_equal(phi_model_add_side(m, "model.onnx", "x", 1, &err), 0);
	assert_null(plan_of(m, PHI_F32, NULL, &err));
	assert_non_null(strstr(err.text, "side file model.onnx"));
	phi_model_free(m);
	const struct phi_hparams h = { .layers = 1 };
	struct phi_arena *const arena = phi_arena_new(NULL);
	const struct phi_family none = { .name = "other" };
	struct phi_graph g;
	assert_int_equal(phi_graph_make(&none, &h, false, arena, &g, &err), -1);
	assert_non_null(strstr(err.text, "the decoder of family other is not known"));
	phi_arena_free(arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(operations_of_families),
		cmocka_unit_test(weights_of_operations),
		cmocka_unit_test(nodes_of_two_layers),
		cmocka_unit_test(inputs_and_outputs),
		cmocka_unit_test(attention_knows_its_window),
		cmocka_unit_test(long_contexts_choose_a_cache),
		cmocka_unit_test(other_rotary_sizes),
		cmocka_unit_test(a_tied_embedding_is_there_once),
		cmocka_unit_test(weights_in_blocks),
		cmocka_unit_test(what_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
