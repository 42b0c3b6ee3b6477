/* The whole way of the data: the first byte chooses a target and a recipe, the rest is a file of any
 * format (a folder comes as a tar). It is described, lowered, chosen, planned and pumped into a file,
 * which must open again with the same number of tensors; or it is refused with one line. */
#include "formats/formats.h"
#include "quant/quant.h"
#include "tests/fuzz/memory.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUTPUT_MAX = 4 << 20, TENSORS_MAX = 2000 };

static const struct phi_spool_options spool = { .refuse = false };
static char folder[64];

static void
remove_folder(void)
{
	rmdir(folder);
}

static void
make_folder(void)
{
	if (folder[0])
		return;
	strcpy(folder, access("/dev/shm", W_OK) ? "/tmp/phi-fuzz-XXXXXX" : "/dev/shm/phi-fuzz-XXXXXX");
	must(mkdtemp(folder) != NULL);
	must(!setenv("TMPDIR", folder, 1));
	atexit(remove_folder);
}

/* Removes all that is in the folder; says how many entries there were. */
static unsigned
empty_folder(const char *path)
{
	DIR *const dir = opendir(path);
	must(dir != NULL);
	unsigned count = 0;
	for (const struct dirent *e; (e = readdir(dir));) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		count++;
		char inner[400];
		snprintf(inner, sizeof inner, "%s/%s", path, e->d_name);
		if (unlink(inner)) {
			empty_folder(inner);
			must(!rmdir(inner));
		}
	}
	closedir(dir);
	return count;
}

static void
one_line(const struct phi_err *err)
{
	must(err->kind != PHI_OK && err->text[0] && !strchr(err->text, '\n'));
}

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

/* What was written must read back; what was not must leave nothing. */
static void
check_output(const struct phi_plan *plan, const char *path, bool written)
{
	if (!written) {
		must(empty_folder(folder) == 0);
		return;
	}
	struct phi_err err = { 0 };
	const struct phi_open_options options = { .size = sizeof options, .spool = &spool };
	struct phi_source *const source = phi_open(path, &options, &err);
	must(source != NULL);
	must(source->model->ntensors == plan->model->ntensors || strcmp(plan->format->name, "gguf"));
	phi_source_close(source);
	must(empty_folder(folder) == 1);
}

static void
run(struct phi_source *source, const struct phi_plan *plan)
{
	struct phi_err err = { 0 };
	char path[100];
	const bool is_folder = plan->format->flags & PHI_FORMAT_FOLDER;
	snprintf(path, sizeof path, "%s/out", folder);
	const struct phi_output_options options = { .no_sync = true };
	struct phi_output *const output = phi_output_open(
		is_folder ? PHI_OUTPUT_FOLDER : PHI_OUTPUT_FILES, path, &options, &err);
	must(output != NULL);
	struct phi_sink *const sink = phi_sink_open(plan, output, &err);
	int status = -1;
	if (sink) {
		const struct phi_pump_options pump = { .size = sizeof pump, .jobs = 1,
			.converters = &phi_quant_converters, .spool = &spool };
		status = phi_pump(source, sink, &pump, &err);
	}
	if (status)
		one_line(&err);
	phi_sink_close(sink);
	check_output(plan, path, !status);
}

static void
convert(struct phi_source *source, unsigned choice)
{
	size_t nformats = 0;
	while (phi_formats[nformats])
		nformats++;
	const struct phi_format *const format = phi_formats[choice / 8 % nformats];
	if (!format->complete || source->model->ntensors > TENSORS_MAX)
		return;
	struct phi_err err = { 0 };
	struct phi_plan *const plan = make_plan(source->model, format, choice, &err);
	uint64_t bytes = 0;
	for (unsigned i = 0; plan && i < plan->nfiles; i++)
		bytes += plan->files[i].size < OUTPUT_MAX ? plan->files[i].size : OUTPUT_MAX;
	const struct phi_pump_options pump = { .size = sizeof pump, .jobs = 1,
		.converters = &phi_quant_converters, .spool = &spool };
	if (!plan || phi_plan_measure(plan, source, &pump, &err))
		one_line(&err);
	else if (bytes < OUTPUT_MAX)
		run(source, plan);
	phi_plan_free(plan);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	make_folder();
	const int fd = fuzz_file(data + 1, size - 1);
	struct phi_err err = { 0 };
	const struct phi_open_options options = { .size = sizeof options, .spool = &spool };
	struct phi_source *const source = phi_open(fuzz_path(fd).text, &options, &err);
	if (source)
		convert(source, data[0]);
	else
		one_line(&err);
	phi_source_close(source);
	close(fd);
	return 0;
}
