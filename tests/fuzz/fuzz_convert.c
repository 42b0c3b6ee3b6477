/* The whole way of the data: the first byte chooses a target and a recipe, the rest is a file of any
 * format (a folder comes as a tar). It is described, lowered, chosen, planned and pumped into a file,
 * which must open again with the same number of tensors; or it is refused with one line. */
#include "tests/fuzz/whole.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct phi_plan *
make_plan(const struct phi_model *model, const struct phi_format *format, unsigned choice,
	struct phi_err *err)
{
	static const char *const recipes[] = { NULL, "q8_0", "f16", "bf16", "f32", "q4_0", NULL, NULL };
	const char *const recipe = recipes[choice % 8];
	const bool pure = recipe && !strcmp(recipe, "q4_0");
	const struct phi_lower_options lower = { .size = sizeof lower, .recipe = recipe, .pure = pure };
	const struct phi_recipe_options choose = { .size = sizeof choose, .recipe = recipe, .pure = pure };
	struct phi_model *const lowered = phi_lower(model, format, &lower, err);
	if (!lowered)
		return NULL;
	if (recipe && phi_choose(lowered, &choose, err)) {
		phi_model_free(lowered);
		return NULL;
	}
	const struct phi_plan_options plan = { .size = sizeof plan };
	return phi_plan_make(lowered, format, &plan, err);
}

static void
convert(struct phi_source *source, unsigned choice)
{
	size_t nformats = 0;
	while (phi_formats[nformats])
		nformats++;
	const struct phi_format *const format = phi_formats[choice / 8 % nformats];
	if (!format->complete || source->model->ntensors > FUZZ_TENSORS_MAX)
		return;
	struct phi_err err = { 0 };
	fuzz_run(source, make_plan(source->model, format, choice, &err), &phi_quant_converters, &err, NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	fuzz_make_folder();
	const int fd = fuzz_file(data + 1, size - 1);
	struct phi_err err = { 0 };
	const struct phi_open_options options = { .size = sizeof options, .spool = &fuzz_spool };
	struct phi_source *const source = phi_open(fuzz_path(fd).text, &options, &err);
	if (source)
		convert(source, data[0]);
	else
		fuzz_one_line(&err);
	phi_source_close(source);
	close(fd);
	return 0;
}
