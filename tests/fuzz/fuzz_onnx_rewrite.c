/* An ONNX model of any bytes, quantized: the first two bytes say how. The graph is rewritten, its weights are converted and
 * the file must read back; one that --check has nothing to say of gives one of that kind. Or it is refused with one line. */
#include "formats/core/ranges.h"
#include "formats/core/survey_range.h"
#include "tests/fuzz/whole.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const recipes[] = { "int4", "int8", "int2", "int8_dynamic", "w8a8", "w8a16", "f16", "f32", "int4_mixed",
	"int4_last", NULL };
enum { NRECIPES = sizeof recipes / sizeof *recipes };

static struct phi_ranges *ranges;

static void
make_ranges(void)
{
	static const char text[] = "{\"x\": [-1, 1], \"y\": [-8, 8], \"z\": [0, 2.5], \"a\": [-3, 0], \"b\": [0, 0]}";
	struct phi_err err = { 0 };
	const int fd = fuzz_file(text, sizeof text - 1);
	ranges = phi_ranges_open(fuzz_path(fd).text, &err);
	must(ranges != NULL);
	close(fd);
}

static struct phi_graph_options
options_of(unsigned choice)
{
	static const unsigned groups[] = { 0, 16, 64, 256 };
	return (struct phi_graph_options){ .algorithm = (enum phi_algorithm)(choice % 4 % 3),
		.symmetry = choice & 4 ? PHI_SYMMETRY_NO : PHI_SYMMETRY_OWN, .qdq = choice & 8, .group = groups[choice / 16 % 4],
		.per_channel = choice & 64, .reduced = choice & 128, .accuracy = choice & 64 ? 4 : 0, .ranges = ranges };
}

static struct phi_plan *
make_plan(struct phi_source *source, const char *recipe, const struct phi_graph_options *graph, struct phi_err *err)
{
	const struct phi_format *const format = phi_format_named("onnx");
	const struct phi_lower_options lower = { .size = sizeof lower, .recipe = recipe, .graph = graph };
	const struct phi_recipe_options choose = { .size = sizeof choose, .recipe = recipe, .graph = graph };
	const struct phi_reduce_options reduce = { .size = sizeof reduce, .jobs = 1, .converters = &phi_quant_converters,
		.spool = &fuzz_spool };
	struct phi_model *const lowered = phi_lower(source->model, format, &lower, err);
	if (!lowered)
		return NULL;
	uint64_t bytes = 0;
	for (size_t i = 0; i < lowered->ntensors; i++) {
		uint64_t n;
		bytes += phi_tensor_elements(&lowered->tensors[i], &n) && n < FUZZ_OUTPUT_MAX ? n : FUZZ_OUTPUT_MAX;
	}
	if (bytes >= FUZZ_OUTPUT_MAX)
		phi_fail(err, PHI_LIMIT, "too much to be surveyed here");
	if (err->kind || (recipe && phi_choose(lowered, &choose, err)) ||
		(phi_survey_range_needed(lowered) && phi_survey_range(source, lowered, &reduce, err))) {
		phi_model_free(lowered);
		return NULL;
	}
	const struct phi_plan_options plan = { .size = sizeof plan, .graph = graph };
	return phi_plan_make(lowered, format, &plan, err);
}

static unsigned invalid;

static int
count(void *ctx, const struct phi_finding *finding, struct phi_err *err)
{
	(void)ctx;
	(void)err;
	invalid += finding->severity == PHI_FINDING_INVALID;
	return 0;
}

static void
check(struct phi_source *source)
{
	const struct phi_findings findings = { .emit = count };
	struct phi_err err = { 0 };
	invalid = 0;
	must(!source->ops->check(source, &findings, &err));
}

static void
check_made(struct phi_source *made)
{
	const unsigned before = invalid;
	check(made);
	must(before || !invalid);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct phi_converters *const ways[] = { &phi_quant_converters, &phi_quant_rtn, &phi_quant_k_quant };
	if (size < 2)
		return 0;
	fuzz_make_folder();
	if (!ranges)
		make_ranges();
	const struct phi_graph_options graph = options_of(data[1]);
	const int fd = fuzz_file(data + 2, size - 2);
	struct phi_err err = { 0 };
	const struct phi_open_options options = { .size = sizeof options, .spool = &fuzz_spool };
	struct phi_source *const source = phi_open(fuzz_path(fd).text, &options, &err);
	if (!source) {
		fuzz_one_line(&err);
	} else if (!strcmp(source->format, "onnx") && source->model->ntensors <= FUZZ_TENSORS_MAX) {
		check(source);
		fuzz_run(source, make_plan(source, recipes[data[0] % NRECIPES], &graph, &err), ways[graph.algorithm], &err,
			check_made);
	}
	phi_source_close(source);
	close(fd);
	return 0;
}
