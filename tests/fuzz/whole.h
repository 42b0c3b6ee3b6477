/* Whole conversions of fuzzed models, into a folder in memory: what is planned is pumped, what was written must read back,
 * what was not must leave nothing. */
#ifndef PHI_TESTS_FUZZ_WHOLE_H
#define PHI_TESTS_FUZZ_WHOLE_H

#include "formats/formats.h"
#include "quant/quant.h"
#include "tests/fuzz/memory.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FUZZ_OUTPUT_MAX = 4 << 20, FUZZ_TENSORS_MAX = 2000 };

static const struct phi_spool_options fuzz_spool = { .refuse = false };
static char fuzz_folder[64];

static inline void
fuzz_remove_folder(void)
{
	rmdir(fuzz_folder);
}

static inline void
fuzz_make_folder(void)
{
	if (fuzz_folder[0])
		return;
	strcpy(fuzz_folder, access("/dev/shm", W_OK) ? "/tmp/phi-fuzz-XXXXXX" : "/dev/shm/phi-fuzz-XXXXXX");
	must(mkdtemp(fuzz_folder) != NULL);
	must(!setenv("TMPDIR", fuzz_folder, 1));
	atexit(fuzz_remove_folder);
}

/* Removes all that is in the folder; says how many entries there were. */
static inline unsigned
fuzz_empty(const char *path)
{
	DIR *const dir = opendir(path);
	must(dir != NULL);
	unsigned count = 0;
	for (const struct dirent *e; (e = readdir(dir));) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		count++;
		char inner[1024];
		must((size_t)snprintf(inner, sizeof inner, "%s/%s", path, e->d_name) < sizeof inner);
		if (unlink(inner)) {
			fuzz_empty(inner);
			must(!rmdir(inner));
		}
	}
	closedir(dir);
	return count;
}

static inline void
fuzz_one_line(const struct phi_err *err)
{
	must(err->kind != PHI_OK && err->text[0] && !strchr(err->text, '\n'));
}

/* `then`: what follows the reading back; or NULL. */
static inline void
fuzz_check_output(const struct phi_plan *plan, const char *path, void (*then)(struct phi_source *made))
{
	struct phi_err err = { 0 };
	const struct phi_open_options options = { .size = sizeof options, .spool = &fuzz_spool };
	struct phi_source *const source = phi_open(path, &options, &err);
	must(source != NULL);
	must(source->model->ntensors == plan->model->ntensors || strcmp(plan->format->name, "gguf"));
	if (then)
		then(source);
	phi_source_close(source);
	must(fuzz_empty(fuzz_folder) == 1);
}

static inline void
fuzz_pump(struct phi_source *source, const struct phi_plan *plan, const struct phi_pump_options *pump,
	void (*then)(struct phi_source *made))
{
	struct phi_err err = { 0 };
	char path[100];
	const bool is_folder = plan->format->flags & PHI_FORMAT_FOLDER;
	snprintf(path, sizeof path, "%s/out", fuzz_folder);
	const struct phi_output_options options = { .no_sync = true };
	struct phi_output *const output = phi_output_open(
		is_folder ? PHI_OUTPUT_FOLDER : PHI_OUTPUT_FILES, path, &options, &err);
	must(output != NULL);
	struct phi_sink *const sink = phi_sink_open(plan, output, &err);
	const int status = sink ? phi_pump(source, sink, pump, &err) : -1;
	if (status)
		fuzz_one_line(&err);
	phi_sink_close(sink);
	if (!status)
		fuzz_check_output(plan, path, then);
	else
		must(fuzz_empty(fuzz_folder) == 0);
}

/* Takes the plan; NULL: there is none, and err says why. */
static inline void
fuzz_run(struct phi_source *source, struct phi_plan *plan, const struct phi_converters *converters, struct phi_err *err,
	void (*then)(struct phi_source *made))
{
	uint64_t bytes = 0;
	for (unsigned i = 0; plan && i < plan->nfiles; i++)
		bytes += plan->files[i].size < FUZZ_OUTPUT_MAX ? plan->files[i].size : FUZZ_OUTPUT_MAX;
	const struct phi_pump_options pump = { .size = sizeof pump, .jobs = 1, .converters = converters, .spool = &fuzz_spool };
	if (!plan || phi_plan_measure(plan, source, &pump, err))
		fuzz_one_line(err);
	else if (bytes < FUZZ_OUTPUT_MAX)
		fuzz_pump(source, plan, &pump, then);
	phi_plan_free(plan);
}

#endif
