/* Damages files in every place and does with each what the tools do: tests/hostile/mutate FILE...
 *
 *   cut     to every length up to 16 KiB and to 200 lengths beyond
 *   flip    every bit of the first 2 KiB
 *
 * Each damaged file is scanned (phi-inspect --scan), described and read to its end as a file (phi-inspect --sum),
 * made a file of the other kind (phi-repack), and compared with the original (phi-diff); a cut one also goes through
 * a pipe. Wanted:
 * a failure of one line, or success; nothing left in the output's folder after a failure; within limits of time
 * and memory, which the process sets itself. Prints `N passed, N failed`; a crash names no file, so what is being
 * tried is kept in the file "trying" of the current folder. */
#include "formats/formats.h"
#include "inspect/inspect.h"
#include "quant/quant.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { CUTS = 16 << 10, FAR_CUTS = 200, BITS = 8 * 2048, SECONDS_EACH = 2, OUTPUT_MAX = 8 << 20 };

static const struct phi_spool_options spool = { .refuse = false, .beside = "." };
static unsigned passed, failed;
static const char *original;
static FILE *nowhere;

static void
check(bool good, const char *what, const char *text)
{
	if (good) {
		passed++;
		return;
	}
	failed++;
	if (failed < 30)
		printf("FAILED %s: %s: %s\n", original, what, text);
}

static double
now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static bool
one_line(const struct phi_err *err)
{
	return err->kind != PHI_OK && err->kind != PHI_MEMORY && err->text[0] &&
		!strchr(err->text, '\n');
}

static struct phi_source *
open_path(const char *path, struct phi_err *err)
{
	const struct phi_open_options options = { .size = sizeof options, .spool = &spool,
		.name = "model" };
	return phi_open(path, &options, err);
}

static struct phi_source *
open_fd(int fd, struct phi_err *err)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return open_path(path, err);
}

/* Empties the folder "out"; says how many entries it had. */
static unsigned
empty(const char *folder)
{
	DIR *const dir = opendir(folder);
	unsigned count = 0;
	for (const struct dirent *e; dir && (e = readdir(dir));) {
		char path[600];
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
		unlink(path);
		count++;
	}
	if (dir)
		closedir(dir);
	return count;
}

static void
inspect(struct phi_source *source, const char *what)
{
	struct phi_err err = { 0 };
	const struct phi_inspect_options options = { .size = sizeof options, .style = PHI_STYLE_JSON, .sum = true,
		.jobs = 1, .spool = &spool };
	if (phi_inspect_print(source, &options, nowhere, &err))
		check(one_line(&err), what, err.text);
}

static void
scan(const char *path, const char *what)
{
	struct phi_err err = { 0 };
	const struct phi_inspect_options options = { .size = sizeof options };
	enum phi_scan_verdict verdict;
	struct phi_store *const store = phi_store_open(path, NULL, &err);
	if (!store || phi_scan_print(store, &options, nowhere, &verdict, &err))
		check(false, what, err.text);
	phi_store_close(store);
}

static int
write_as(struct phi_source *source, const struct phi_plan *plan, struct phi_err *err)
{
	const struct phi_output_options options = { .no_sync = true };
	struct phi_output *const output = phi_output_open(PHI_OUTPUT_FILES, "out/o", &options, err);
	struct phi_sink *const sink = output ? phi_sink_open(plan, output, err) : NULL;
	const struct phi_pump_options pump = { .size = sizeof pump, .jobs = 1,
		.converters = &phi_quant_converters, .spool = &spool };
	const int status = sink ? phi_pump(source, sink, &pump, err) : -1;
	phi_sink_close(sink);
	return status;
}

/* To GGUF, or from GGUF to safetensors. */
static void
repack(struct phi_source *source, const char *what)
{
	struct phi_err err = { 0 };
	const bool is_gguf = !strcmp(source->model->format, "gguf");
	const struct phi_format *const format = phi_format_named(is_gguf ? "safetensors" : "gguf");
	const struct phi_lower_options lower = { .size = sizeof lower };
	const struct phi_plan_options options = { .size = sizeof options };
	struct phi_model *const lowered = phi_lower(source->model, format, &lower, &err);
	struct phi_plan *const plan = lowered ? phi_plan_new(lowered, format, &options, &err) : NULL;
	int status = -1;
	if (plan && plan->files[0].size > OUTPUT_MAX)
		err = (struct phi_err){ .kind = PHI_LIMIT, .text = "too large to try" };
	else if (plan)
		status = write_as(source, plan, &err);
	phi_plan_free(plan);
	const unsigned left = empty("out");
	check(status ? one_line(&err) && !left : left == 1, what, status ? err.text : "no output");
}

static void
diff(struct phi_source *source, const char *path, const char *what)
{
	struct phi_err err = { 0 };
	bool differs;
	const struct phi_diff_options options = { .size = sizeof options, .max_abs = -1, .rmse = -1,
		.relative = -1, .sqnr = -1, .jobs = 1, .converters = &phi_quant_converters,
		.spool = &spool };
	struct phi_source *const other = open_path(path, &err);
	if (!other || phi_diff_print(source, other, &options, nowhere, &differs, &err))
		check(one_line(&err), what, err.text);
	phi_source_close(other);
}

static void
try_file(const void *data, size_t size, const char *path, const char *what)
{
	struct phi_err err = { 0 };
	const int fd = memfd_create("damaged", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		exit(2);
	const double start = now();
	char name[64];
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	scan(name, what);
	struct phi_source *const source = open_path(name, &err);
	check(source || (one_line(&err) && strstr(err.text, "/proc/self/fd/")), what, err.text);
	if (source) {
		inspect(source, what);
		repack(source, what);
		diff(source, path, what);
	}
	phi_source_close(source);
	close(fd);
	check(now() - start < SECONDS_EACH, what, "takes too long");
}

/* Reads what a pipe has; true if all of it is good. */
static bool
try_pipe(const void *data, size_t size, const char *what)
{
	struct phi_err err = { 0 };
	int fds[2];
	if (pipe2(fds, O_CLOEXEC) || write(fds[1], data, size) != (ssize_t)size)
		exit(2);
	close(fds[1]);
	struct phi_source *const source = open_fd(fds[0], &err);
	const struct phi_inspect_options options = { .size = sizeof options, .style = PHI_STYLE_JSON, .sum = true,
		.jobs = 1, .spool = &spool };
	const bool good = source && !phi_inspect_print(source, &options, nowhere, &err);
	check(good || one_line(&err), what, err.text);
	phi_source_close(source);
	close(fds[0]);
	return good;
}

static void
note(FILE *trying, const char *how, size_t at)
{
	rewind(trying);
	fprintf(trying, "%s %s %zu        \n", original, how, at);
	fflush(trying);
}

/* Is a good prefix allowed to be this short? Padding behind the last tensor may be missing, and of a tar the
 * zeros at its end. */
static bool
may_be_cut(const uint8_t *data, size_t size, size_t n)
{
	while (n < size && !data[n])
		n++;
	return n == size;
}

static void
damage(uint8_t *data, size_t size, const char *path, FILE *trying)
{
	const size_t far = size > CUTS ? (size - CUTS) / FAR_CUTS + 1 : 1;
	for (size_t n = 0; n < size; n += n < CUTS ? 1 : far) {
		note(trying, "cut", n);
		try_file(data, n, path, "cut");
		if (n < CUTS || n < 60 << 10) {
			const bool good = try_pipe(data, n, "cut, in a pipe");
			check(!good || may_be_cut(data, size, n), "cut, in a pipe", "taken for whole");
		}
	}
	for (size_t i = 0; i < BITS && i / 8 < size; i++) {
		note(trying, "flip", i);
		data[i / 8] ^= (uint8_t)(1u << i % 8);
		try_file(data, size, path, "flip");
		data[i / 8] ^= (uint8_t)(1u << i % 8);
	}
}

int
main(int argc, char **argv)
{
	static uint8_t data[1 << 20];
#ifndef PHI_SANITIZED
	const struct rlimit memory = { 1 << 30, 1 << 30 };
	setrlimit(RLIMIT_AS, &memory);
#endif
	FILE *const trying = fopen("trying", "w");
	nowhere = fopen("/dev/null", "w");
	if (!trying || !nowhere || mkdir("out", 0777))
		return 2;
	for (int i = 1; i < argc; i++) {
		FILE *const f = fopen(argv[i], "rb");
		const size_t size = f ? fread(data, 1, sizeof data, f) : 0;
		if (!size)
			return 2;
		fclose(f);
		original = argv[i];
		damage(data, size, argv[i], trying);
	}
	printf("%u passed, %u failed\n", passed, failed);
	return passed && !failed ? 0 : 1;
}
