/* An ONNX model of any bytes: scanned, read, its graph checked, and written again, or refused, never more. */
#include "formats/onnx/read.h"
#include "formats/onnx/write.h"
#include "tests/fuzz/look.h"
#include "tests/fuzz/open.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const struct phi_format phi_format_onnx;

/* What was read can be planned: the graph is its own. */
static void
plan_again(struct phi_source *source, bool external)
{
	const struct phi_plan_options options = { .size = sizeof options, .external = external };
	const struct phi_lower_options lower = { .size = sizeof lower };
	struct phi_err err = { 0 };
	struct phi_model *const lowered = phi_onnx_lower(source->model, &lower, &err);
	struct phi_plan *const plan = lowered ? phi_plan_new(lowered, &phi_format_onnx, &options, &err) : NULL;
	if (!plan && !err.text[0])
		abort();
	phi_plan_free(plan);
}

static void
look(struct phi_source *source)
{
	struct phi_err err = { 0 };
	if (phi_model_check(source->model, &err) || phi_model_find_aliases(source->model, &err))
		return;
	fuzz_look(source);
	plan_again(source, false);
	plan_again(source, true);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_open_then(data, size, phi_onnx_open, look);
}
