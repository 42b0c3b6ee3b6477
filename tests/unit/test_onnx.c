/* ONNX models made by hand: numbers in every field they may be in, external data, graphs in graphs, what nobody knows,
 * and what is written of them. */
#include "formats/core/memory.h"
#include "formats/core/plan.h"
#include "formats/onnx/write.h"
#include "tests/unit/onnx_maker.h"

extern const struct phi_format phi_format_onnx;

#define END UINT64_MAX

/* Numbers */

static void
numbers_of_every_field(void **state)
{
	(void)state;
	static const uint64_t negative[] = { UINT64_MAX, 2, (uint64_t)-128 }, halves[] = { 0x3c00, 0xc000, 0x0001 };
	static const uint64_t large[] = { 0, 1, UINT64_MAX }, codes[] = { 0x21, 0x03 };
	static const float floats[] = { 1.5f, -2.0f, 0.25f };
	static const double doubles[] = { 1e300, -0.5, 3.0 };
	static const struct {
		const char *name;
		uint64_t type, dim;
		uint32_t field;
		const uint64_t *values; /* varints; NULL: floats */
		const void *packed;
		size_t n, size;
		const char *want;
	} all[] = {
		{ "i8", INT8, 3, 5, negative, NULL, 3, 3, "\xff\x02\x80" },
		{ "u8", UINT8, 3, 5, negative, NULL, 3, 3, "\xff\x02\x80" },
		{ "f16", FLOAT16, 3, 5, halves, NULL, 3, 6, "\x00\x3c\x00\xc0\x01\x00" },
		{ "i4", INT4, 4, 5, codes, NULL, 2, 2, "\x21\x03" },
		{ "i32", 6, 3, 5, negative, NULL, 3, 12, "\xff\xff\xff\xff\x02\0\0\0\x80\xff\xff\xff" },
		{ "i64", INT64, 3, 7, negative, NULL, 3, 24,
			"\xff\xff\xff\xff\xff\xff\xff\xff\2\0\0\0\0\0\0\0\x80\xff\xff\xff\xff\xff\xff\xff" },
		{ "u64", 13, 3, 11, large, NULL, 3, 24, "\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff" },
		{ "u32", 12, 3, 11, large, NULL, 3, 12, "\0\0\0\0\1\0\0\0\xff\xff\xff\xff" },
		{ "bool", 9, 3, 5, large, NULL, 3, 3, "\0\1\xff" },
		{ "f32", FLOAT, 3, 4, NULL, floats, 3, 12, NULL },
		{ "f64", 11, 3, 10, NULL, doubles, 3, 24, NULL },
	};
	message g = { 0 };
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		message t = tensor(all[i].name, all[i].type, all[i].dim, END);
		if (all[i].values)
			varints(&t, all[i].field, all[i].values, all[i].n);
		else
			bytes(&t, all[i].field, all[i].packed, all[i].size);
		within(&g, 5, t);
	}
	struct opened o = open_good(model(g));
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		holds(&o, all[i].name, all[i].values ? (const void *)all[i].want : all[i].packed, all[i].size);
	close_opened(&o);
}

/* Not packed, packed in several pieces, and both. */
static void
numbers_in_pieces(void **state)
{
	(void)state;
	static const uint64_t few[] = { 5, 300 };
	message t = tensor("w", INT64, 5, END);
	number(&t, 7, 1);
	varints(&t, 7, few, 2);
	varints(&t, 7, few, 0);
	number(&t, 99, 4);
	number(&t, 7, 7);
	number(&t, 7, 8);
	struct opened o = open_good(model_of_tensor(t));
	const int64_t want[] = { 1, 5, 300, 7, 8 };
	holds(&o, "w", want, sizeof want);
	close_opened(&o);

	message f = tensor("w", FLOAT, 3, END);
	made(phi_wire_put_float(&f, 4, 1.5f, NULL));
	bytes(&f, 4, (const float[]){ 2.5f, -1.0f }, 8);
	o = open_good(model_of_tensor(f));
	holds(&o, "w", (const float[]){ 1.5f, 2.5f, -1.0f }, 12);
	close_opened(&o);
}

/* More than there are marks for, read from any place. */
static void
numbers_from_any_place(void **state)
{
	(void)state;
	enum { N = 3 * PHI_ONNX_STEP + 17 };
	static uint64_t values[N];
	int64_t have[3];
	struct phi_err err = { 0 };
	for (size_t i = 0; i < N; i++)
		values[i] = i * i * i + (i % 3 ? 0 : (uint64_t)1 << 60);
	message t = tensor("w", INT64, N, END);
	varints(&t, 7, values, N);
	struct opened o = open_good(model_of_tensor(t));
	static const size_t places[] = { N - 3, 0, PHI_ONNX_STEP - 1, PHI_ONNX_STEP, 2 * PHI_ONNX_STEP - 2, 1 };
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		assert_int_equal(phi_source_read(o.source, 0, 8 * places[i], have, sizeof have, &err), 0);
		assert_memory_equal(have, values + places[i], sizeof have);
		uint8_t odd[5];
		assert_int_equal(phi_source_read(o.source, 0, 8 * places[i] + 3, odd, sizeof odd, &err), 0);
		assert_memory_equal(odd, (const uint8_t *)(values + places[i]) + 3, sizeof odd);
	}
	assert_int_equal(phi_source_read(o.source, 0, 8 * N - 2, have, 3, &err), -1);
	close_opened(&o);
}

/* Rows of whole bytes keep their shape; the others are the bytes that they are. */
static void
below_a_byte(void **state)
{
	(void)state;
	static const uint8_t eight[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	message g = { 0 };
	within(&g, 5, raw("even", INT4, 3, 2, eight, 3));
	within(&g, 5, raw("odd", UINT4, 5, 3, eight, 8));
	within(&g, 5, raw("two", INT2, 2, 4, eight, 2));
	within(&g, 5, raw("one", INT4, END, END, eight, 1));
	struct opened o = open_good(model(g));
	const struct phi_tensor *t = named(&o, "even");
	assert_ptr_equal(t->type, phi_type_of(PHI_I4));
	assert_true(t->rank == 2 && t->shape[0] == 3 && t->shape[1] == 2);
	t = named(&o, "odd");
	assert_ptr_equal(t->type, phi_type_of(PHI_U8));
	assert_true(t->rank == 1 && t->shape[0] == 8);
	t = named(&o, "two");
	assert_ptr_equal(t->type, phi_type_of(PHI_I2));
	t = named(&o, "one");
	assert_true(t->rank == 1 && t->shape[0] == 1);
	holds(&o, "odd", eight, 8);
	close_opened(&o);
	refused(model_of_tensor(raw("w", UINT4, 5, 3, eight, 7)), "7 bytes of raw data, where its shape has 8");
}

/* Four numbers of 6 bits are three bytes; the last ones are cut. */
static void
six_bits(void **state)
{
	(void)state;
	static const uint64_t numbers[] = { 1, 2, 3, 4, 63, 32, 5 };
	static const uint8_t packed[] = { 0x81, 0x30, 0x10, 0x3f, 0x58, 0x00 };
	message g = { 0 }, t = tensor("typed", 27, 7, END);
	varints(&t, 5, numbers, 7);
	within(&g, 5, t);
	within(&g, 5, raw("raw", 28, 7, END, packed, 6));
	t = tensor("rows", 27, 1, 4);
	varints(&t, 5, numbers, 4);
	within(&g, 5, t);
	struct opened o = open_good(model(g));
	holds(&o, "typed", packed, 6);
	holds(&o, "raw", packed, 6);
	holds(&o, "rows", packed, 3);
	assert_ptr_equal(named(&o, "rows")->type, phi_type_of(PHI_F6_E2M3));
	uint8_t two[2];
	struct phi_err err = { 0 };
	assert_int_equal(phi_source_read(o.source, named(&o, "typed")->plane[0].storage, 2, two, 2, &err), 0);
	assert_memory_equal(two, packed + 2, 2);
	close_opened(&o);
	t = tensor("w", 27, 8, END);
	varints(&t, 5, numbers, 7);
	refused(model_of_tensor(t), "7 numbers, where its shape has 8");
}

static void
numbers_that_disagree(void **state)
{
	(void)state;
	static const uint64_t three[] = { 1, 2, 3 };
	message t = tensor("w", INT64, 4, END);
	varints(&t, 7, three, 3);
	refused(model_of_tensor(t), "tensor w: 3 numbers, where its shape has 4");
	t = raw("w", INT64, 3, END, three, 24);
	varints(&t, 7, three, 3);
	refused(model_of_tensor(t), "more than one way");
	t = tensor("w", INT64, 3, END);
	varints(&t, 5, three, 3);
	refused(model_of_tensor(t), "in field 5, where those of INT64 cannot be");
	t = tensor("w", INT64, 3, END);
	bytes(&t, 7, "\x80", 1);
	refused(model_of_tensor(t), "tensor w");
	t = tensor("w", FLOAT, 1, END);
	bytes(&t, 4, "\0\0\0", 3);
	refused(model_of_tensor(t), "3 bytes of numbers");
	t = tensor("w", FLOAT, 2, END);
	bytes(&t, 4, "\0\0\0\0", 4);
	bytes(&t, 4, "\0\0\0", 3);
	refused(model_of_tensor(t), "no whole number of 4 bytes");
	refused(model_of_tensor(raw("w", 0, 3, END, three, 24)), "type, 0, is not known");
	refused(model_of_tensor(raw("w", FLOAT, (uint64_t)1 << 62, (uint64_t)1 << 62, three, 24)), "64 bits");
	refused(model_of_tensor(tensor(NULL, FLOAT, 0, END)), "without a name");
}

/* External data */

static void
external_ranges(void **state)
{
	(void)state;
	uint8_t data[64];
	for (int i = 0; i < 64; i++)
		data[i] = (uint8_t)i;
	scratch_write("w.bin", data, sizeof data);
	if (mkdir("sub", 0755))
		abort();
	scratch_write("sub/v.bin", data, 32);
	message g = { 0 };
	within(&g, 5, external("all", 16, "w.bin", NULL, NULL));
	within(&g, 5, external("again", 16, "w.bin", "0", "64"));
	within(&g, 5, external("below", 4, "sub/v.bin", "3", NULL));
	within(&g, 5, external("none", 0, "w.bin", "64", "0"));
	struct opened o = open_good(model(g));
	holds(&o, "all", data, 64);
	holds(&o, "below", data + 3, 16);
	assert_int_equal(named(&o, "again")->plane[0].storage, named(&o, "all")->plane[0].storage);
	close_opened(&o);

	refused(model_of_tensor(external("w", 4, "w.bin", "0", "12")), "external data of 12 bytes, where its shape has 16");
	refused(model_of_tensor(external("w", 4, "w.bin", "49", NULL)), "pass the end of w.bin (64)");
	refused(model_of_tensor(external("w", 4, "w.bin", "18446744073709551600", NULL)), "pass the end");
	refused(model_of_tensor(external("w", 4, "w.bin", "18446744073709551616", NULL)), "does not fit 64 bits");
	refused(model_of_tensor(external("w", 4, "w.bin", "+4", NULL)), "is no number");
	refused(model_of_tensor(external("w", 4, "w.bin", "", NULL)), "is empty");
	refused(model_of_tensor(external("w", 4, "", NULL, NULL)), "where is not said");
	refused(model_of_tensor(external("w", 4, "../w.bin", NULL, NULL)), "external data");
	refused(model_of_tensor(external("w", 4, "sub/../w.bin", NULL, NULL)), "external data");
	g = (message){ 0 };
	within(&g, 5, external("a", 4, "w.bin", "0", NULL));
	within(&g, 5, external("b", 4, "w.bin", "12", NULL));
	refused(model(g), "external data of tensors a and b overlap in w.bin");
	message t = tensor("w", FLOAT, 4, END);
	entry(&t, 13, "location", "w.bin");
	refused(model_of_tensor(t), "of a tensor that is not external");
	t = external("w", 4, "w.bin", NULL, NULL);
	bytes(&t, 9, data, 16);
	refused(model_of_tensor(t), "more than one way");
}

/* Graphs */

static void
names_of_tensors(void **state)
{
	(void)state;
	static const float f[64];
	message body = { 0 }, g = { 0 }, n = node("Loop", "a b", "y"), sparse = { 0 }, f2 = { 0 };
	within(&body, 5, raw("w", FLOAT, 1, END, f, 4));
	text(&n, 3, "loop");
	within(&n, 5, attribute("body", 6, body, 5));
	within(&g, 1, n);
	n = node("Constant", "", "k");
	within(&n, 5, attribute("value", 5, raw(NULL, FLOAT, 64, END, f, 256), 4));
	within(&g, 1, n);
	n = node("Constant", "", "little");
	within(&n, 5, attribute("value", 5, raw(NULL, FLOAT, 1, END, f, 4), 4));
	within(&g, 1, n);
	within(&sparse, 1, raw("s", FLOAT, 1, END, f, 4));
	within(&sparse, 2, raw("", INT64, 1, END, f, 8));
	number(&sparse, 3, 9);
	within(&g, 15, sparse);
	message m = model(g);
	n = node("Constant", "", "inner");
	within(&n, 5, attribute("value", 5, raw(NULL, FLOAT, 64, END, f, 256), 4));
	text(&f2, 1, "fun");
	within(&f2, 7, n);
	text(&f2, 10, "own");
	within(&m, 25, f2);
	struct opened o = open_good(m);
	assert_int_equal(o.source->model->ntensors, 5);
	named(&o, "loop.body/w");
	named(&o, "k");
	named(&o, "s.values");
	named(&o, "s.indices");
	named(&o, "own:fun/inner");
	close_opened(&o);
}

static message
deep(unsigned n)
{
	message g = { 0 };
	while (n--) {
		message outer = { 0 }, i = node("If", "c", "y");
		within(&i, 5, attribute("then_branch", 6, g, 5));
		within(&outer, 1, i);
		g = outer;
	}
	return model(g);
}

static void
depth_has_a_limit(void **state)
{
	(void)state;
	struct opened o = open_good(deep(32)); /* a graph is within an attribute within a node: 1 + 1 + 3 * 32 messages */
	close_opened(&o);
	refused(deep(33), "more than 100 messages within each other");
}

static void
what_protobuf_would_take_for_something(void **state)
{
	(void)state;
	message m = model_of_tensor(raw("w", FLOAT, 1, END, "\0\0\0\0", 4)), g = { 0 };
	within(&m, 7, g);
	refused(m, "graph of Model is there twice");
	text(&g, 2, "a");
	text(&g, 2, "b");
	refused(model(g), "name of Graph is there twice");
	g = (message){ 0 };
	bytes(&g, 2, "a\0b", 3);
	refused(model(g), "a NUL in a name");
	message t = raw("w", FLOAT, 1, END, "\0\0\0\0", 4);
	number(&t, 500000001, 0);
	refused(model_of_tensor(t), "500000001");
	t = tensor("w", FLOAT, 1, END);
	number(&t, 9, 5);
	refused(model_of_tensor(t), "raw_data of Tensor has form 0 of the wire, not 2");
}

/* What the checks find */

struct found {
	unsigned count;
	char rules[256];
};

static int
note(void *ctx, const struct phi_finding *finding, struct phi_err *err)
{
	struct found *const f = ctx;
	(void)err;
	f->count++;
	strcat(strcat(f->rules, finding->rule), " ");
	return 0;
}

/* --check of a model emits these rules, each with a blank behind. */
static void
finds(message m, const char *rules)
{
	struct found f = { 0 };
	struct phi_err err = { 0 };
	struct opened o = open_good(m);
	assert_int_equal(o.source->ops->check(o.source, &(struct phi_findings){ note, &f }, &err), 0);
	assert_string_equal(f.rules, rules);
	close_opened(&o);
}

static message
value(const char *name)
{
	message v = { 0 };
	text(&v, 1, name);
	return v;
}

static void
rules_of_graphs(void **state)
{
	(void)state;
	static const struct {
		const char *nodes[4][3]; /* operator, inputs, outputs */
		const char *rules;
	} all[] = {
		{ { { "Neg", "x", "y" } }, "" },
		{ { { "Neg", "u", "y" } }, "onnx.dangling " },
		{ { { "Neg", "x", "y" }, { "Neg", "x", "y" } }, "onnx.twice " },
		{ { { "Neg", "x", "x" }, { "Neg", "x", "y" } }, "onnx.twice " },
		{ { { "Neg", "a", "y" }, { "Neg", "x", "a" } }, "onnx.order " },
		{ { { "Add", "x b", "a" }, { "Neg", "a", "b" }, { "Neg", "x", "y" } }, "onnx.cycle " },
		{ { { "Add", "y x", "y" } }, "onnx.cycle " },
		{ { { "Neg", "x", "z" } }, "onnx.output " },
	};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		message g = { 0 };
		for (size_t n = 0; n < 4 && all[i].nodes[n][0]; n++)
			within(&g, 1, node(all[i].nodes[n][0], all[i].nodes[n][1], all[i].nodes[n][2]));
		within(&g, 11, value("x"));
		within(&g, 12, value("y"));
		finds(model(g), all[i].rules);
	}
}

static void
a_graph_sees_what_is_around_it(void **state)
{
	(void)state;
	message inner = { 0 }, g = { 0 }, n = node("If", "x", "y");
	within(&inner, 1, node("Add", "x v", "z"));
	within(&inner, 12, value("z"));
	within(&n, 5, attribute("then_branch", 6, inner, 5));
	inner = (message){ 0 };
	within(&inner, 1, node("Neg", "z", "q")); /* the other branch's */
	within(&inner, 12, value("q"));
	within(&n, 5, attribute("else_branch", 6, inner, 5));
	within(&g, 1, n);
	within(&g, 11, value("x"));
	within(&g, 11, value("v"));
	within(&g, 12, value("y"));
	finds(model(g), "onnx.dangling ");
}

/* Packed weights */

static message
quantizing(const char *op, const char *domain, const char *inputs, const char *const *names, const uint64_t *values)
{
	message n = node(op, inputs, "y");
	for (size_t i = 0; names[i]; i++)
		within(&n, 5, number_attribute(names[i], values[i]));
	if (domain)
		text(&n, 7, domain);
	return n;
}

static void
weights_of_operators(void **state)
{
	(void)state;
	static const uint8_t zeros[4096];
	static const char *const nbits[] = { "K", "N", "bits", "block_size", NULL };
	static const char *const linear[] = { "axis", "block_size", NULL };
	message g = { 0 };
	within(&g, 1, quantizing("MatMulNBits", "com.microsoft", "x a_Q4 a_scales", nbits, (const uint64_t[]){ 40, 3, 4, 16 }));
	within(&g, 1, quantizing("DequantizeLinear", NULL, "b_quantized b_scale b_zero", linear, (const uint64_t[]){ 1, 0 }));
	within(&g, 1, quantizing("DequantizeLinear", NULL, "c_DQ_Q4 c_scale", linear, (const uint64_t[]){ 0, 16 }));
	/* Not one packed weight: prepacked, of a block that is none, without its scales. */
	within(&g, 1, quantizing("MatMulNBits", "com.microsoft", "x a_Q4 nowhere", nbits, (const uint64_t[]){ 40, 3, 4, 16 }));
	within(&g, 1, quantizing("MatMulNBits", NULL, "x a_Q4 a_scales", nbits, (const uint64_t[]){ 40, 3, 4, 16 }));
	within(&g, 5, raw("a_Q4", UINT8, 3, 24, zeros, 72));
	within(&g, 5, raw("a_scales", FLOAT, 9, END, zeros, 36));
	within(&g, 5, raw("b_quantized", UINT8, 4, 6, zeros, 24));
	within(&g, 5, raw("b_scale", FLOAT, 6, END, zeros, 24));
	within(&g, 5, raw("b_zero", UINT8, 6, END, zeros, 6));
	within(&g, 5, raw("c_DQ_Q4", INT4, 32, 2, zeros, 32));
	within(&g, 5, raw("c_scale", FLOAT, 2, 2, zeros, 16));
	struct opened o = open_good(model(g));
	const struct phi_packing *const p = o.source->model->packings;
	assert_int_equal(o.source->model->npackings, 3);
	assert_string_equal(p[0].name, "a");
	assert_true(p[0].rows == 3 && p[0].columns == 40 && p[0].padded == 48 && p[0].bits == 4);
	assert_true(p[0].group[0] == 1 && p[0].group[1] == 16 && p[0].meaning == PHI_CODE_OFFSET && !p[0].zeros);
	assert_string_equal(p[1].name, "b");
	assert_true(p[1].rows == 4 && p[1].columns == 6 && p[1].group[0] == 4 && p[1].group[1] == 1);
	assert_string_equal(p[1].zeros, "b_zero");
	assert_string_equal(p[2].name, "c");
	assert_true(p[2].group[0] == 16 && p[2].group[1] == 1 && p[2].meaning == PHI_CODE_SIGNED);
	close_opened(&o);
}

/* Writing */

static struct phi_plan *
planned(struct phi_source *source, bool external)
{
	const struct phi_plan_options options = { .size = sizeof options, .external = external, .output = "o.onnx" };
	const struct phi_lower_options lower = { .size = sizeof lower };
	struct phi_err err = { 0 };
	made(phi_model_find_aliases(source->model, &err));
	struct phi_model *const lowered = phi_onnx_lower(source->model, &lower, &err);
	struct phi_plan *const plan = lowered ? phi_plan_new(lowered, &phi_format_onnx, &options, &err) : NULL;
	if (!plan)
		fail_msg("%s", err.text);
	return plan;
}

/* File number `file` of a plan, as it would be written; gaps are zeros. */
static message
content(struct phi_source *source, const struct phi_plan *plan, unsigned file)
{
	message m = { 0 };
	struct phi_err err = { 0 };
	for (size_t i = 0; i < plan->nitems; i++) {
		const struct phi_item *const item = &plan->items[i];
		if (item->file != file)
			continue;
		assert_true(item->offset >= m.size);
		made(phi_buffer_zeros(&m, (size_t)(item->offset - m.size + item->size), &err));
		uint8_t *const dst = m.data + item->offset;
		if (item->literal)
			memcpy(dst, item->literal, (size_t)item->size);
		else
			made(phi_source_read(source, source->model->tensors[item->tensor].plane[0].storage, 0, dst,
				(size_t)item->size, &err));
	}
	return m;
}

static message
all_kinds(void)
{
	static const float f[2000];
	message g = { 0 }, n = node("MatMul", "x big", "y");
	text(&n, 77, "odd");
	within(&g, 1, n);
	within(&g, 5, raw("big", FLOAT, 2000, END, f, sizeof f));
	message t = tensor("small", FLOAT, 2, END);
	text(&t, 80, "also odd");
	bytes(&t, 9, "abcdefgh", 8);
	text(&t, 12, "behind the numbers");
	within(&g, 5, t);
	within(&g, 11, value("x"));
	message m = model(g);
	text(&m, 99, "kept");
	bytes(&m, 100 , "", 0);
	/* A number in more bytes than it takes. */
	made(phi_buffer_append(&m, "\x28\x85\x80\x00", 4, NULL));
	return m;
}

static void
what_nobody_touches_stays(void **state)
{
	(void)state;
	message m = all_kinds();
	message copy = { 0 };
	made(phi_buffer_append(&copy, m.data, m.size, NULL));
	struct opened o = open_good(m);
	struct phi_plan *const plan = planned(o.source, false);
	assert_int_equal(plan->nfiles, 1);
	message out = content(o.source, plan, 0);
	assert_int_equal(out.size, copy.size);
	assert_memory_equal(out.data, copy.data, copy.size);
	phi_buffer_free(&out);
	phi_buffer_free(&copy);
	phi_plan_free(plan);
	close_opened(&o);
}

static void
external_and_back(void **state)
{
	(void)state;
	message m = all_kinds();
	message copy = { 0 };
	made(phi_buffer_append(&copy, m.data, m.size, NULL));
	struct opened o = open_good(m);
	struct phi_plan *plan = planned(o.source, true);
	assert_int_equal(plan->nfiles, 2);
	unsigned data = plan->files[0].name ? 0 : 1;
	assert_string_equal(plan->files[data].name, "o.onnx.data");
	assert_int_equal(plan->files[data].size, 8000); /* small ones stay */
	message graph = content(o.source, plan, !data), weights = content(o.source, plan, data);
	assert_true(graph.size < 500);
	scratch_write("o.onnx", graph.data, graph.size);
	scratch_write("o.onnx.data", weights.data, weights.size);
	phi_plan_free(plan);
	close_opened(&o);
	o = open_file("o.onnx");
	assert_non_null(o.source);
	holds(&o, "small", "abcdefgh", 8);
	plan = planned(o.source, false);
	message back = content(o.source, plan, 0);
	assert_int_equal(back.size, copy.size);
	assert_memory_equal(back.data, copy.data, copy.size);
	phi_plan_free(plan);
	close_opened(&o);
	phi_buffer_free(&graph);
	phi_buffer_free(&weights);
	phi_buffer_free(&back);
	phi_buffer_free(&copy);
}

/* Where things begin, and that what is shared is there once. */
static void
places_in_the_other_file(void **state)
{
	(void)state;
	static uint8_t data[200000];
	static const struct {
		const char *name;
		uint64_t n;
		const char *at;
	} all[] = { { "page", 300, "0" }, { "section", 20000, "1200" }, { "tied", 20000, "1200" }, { "after", 256, "81200" },
		{ "tiny", 255, "82224" } };
	scratch_write("w.bin", data, sizeof data);
	message g = { 0 };
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		within(&g, 5, external(all[i].name, all[i].n, "w.bin", all[i].at, NULL));
	struct opened o = open_good(model(g));
	struct phi_plan *const plan = planned(o.source, true);
	static const struct {
		const char *name;
		uint64_t offset;
	} want[] = { { "page", 0 }, { "section", 65536 }, { "after", 147456 } };
	size_t n = 0;
	for (size_t i = 0; i < plan->nitems; i++)
		if (plan->files[plan->items[i].file].name) {
			assert_true(n < 3);
			assert_string_equal(plan->items[i].name, want[n].name);
			assert_int_equal(plan->items[i].offset, want[n++].offset);
		}
	assert_int_equal(n, 3);
	message graph = content(o.source, plan, plan->files[0].name ? 1 : 0);
	scratch_write("o.onnx", graph.data, graph.size);
	scratch_write("o.onnx.data", data, sizeof data);
	phi_buffer_free(&graph);
	phi_plan_free(plan);
	close_opened(&o);
	o = open_file("o.onnx");
	assert_non_null(o.source);
	assert_int_equal(named(&o, "tied")->plane[0].storage, named(&o, "section")->plane[0].storage);
	assert_string_equal(o.source->model->storages[named(&o, "tiny")->plane[0].storage].file, "o.onnx");
	close_opened(&o);
}

/* Numbers that were in a typed field are raw behind: 4 fields of a few bytes become one. */
static void
typed_numbers_become_raw(void **state)
{
	(void)state;
	static const uint64_t few[] = { 1, 2, 3 };
	message t = tensor("w", INT64, 4, END);
	number(&t, 7, 7);
	text(&t, 12, "between");
	varints(&t, 7, few, 3);
	struct opened o = open_good(model_of_tensor(t));
	struct phi_plan *const plan = planned(o.source, false);
	message out = content(o.source, plan, 0);
	message w = tensor("w", INT64, 4, END);
	bytes(&w, 9, (const uint64_t[]){ 7, 1, 2, 3 }, 32);
	text(&w, 12, "between");
	message want = model_of_tensor(w);
	assert_int_equal(out.size, want.size);
	assert_memory_equal(out.data, want.data, want.size);
	phi_buffer_free(&out);
	phi_buffer_free(&want);
	phi_plan_free(plan);
	close_opened(&o);
}

/* The weights must be those of the graph. */
static void
a_graph_takes_its_own(void **state)
{
	(void)state;
	static const float f[4];
	struct phi_err err = { 0 };
	struct opened o = open_good(model_of_tensor(raw("w", FLOAT, 4, END, f, 16)));
	const struct phi_plan_options options = { .size = sizeof options };
	const struct phi_lower_options lower = { .size = sizeof lower };
	static const char *const why[] = { "of shape [3]", "BF16, where the graph of onnx computes with F32",
		"tensor w is not there, but the graph needs it" };
	for (int i = 0; i < 3; i++) {
		struct phi_model *const m = phi_onnx_lower(o.source->model, &lower, &err);
		if (i == 0)
			m->tensors[0].shape[0] = m->tensors[0].parts[0].rows = 3;
		else if (i == 1)
			m->tensors[0].type = phi_type_of(PHI_BF16);
		else
			m->tensors[0].name = "v";
		assert_null(phi_plan_new(m, &phi_format_onnx, &options, &err));
		if (!strstr(err.text, why[i]))
			fail_msg("%s", err.text);
	}
	close_opened(&o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_of_every_field),
		cmocka_unit_test(numbers_in_pieces),
		cmocka_unit_test(numbers_from_any_place),
		cmocka_unit_test(below_a_byte),
		cmocka_unit_test(six_bits),
		cmocka_unit_test(numbers_that_disagree),
		cmocka_unit_test(external_ranges),
		cmocka_unit_test(names_of_tensors),
		cmocka_unit_test(depth_has_a_limit),
		cmocka_unit_test(what_protobuf_would_take_for_something),
		cmocka_unit_test(rules_of_graphs),
		cmocka_unit_test(a_graph_sees_what_is_around_it),
		cmocka_unit_test(weights_of_operators),
		cmocka_unit_test(what_nobody_touches_stays),
		cmocka_unit_test(external_and_back),
		cmocka_unit_test(places_in_the_other_file),
		cmocka_unit_test(typed_numbers_become_raw),
		cmocka_unit_test(a_graph_takes_its_own),
	};
	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
