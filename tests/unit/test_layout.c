/* --layout: the regions of every fixture tile its files exactly, from the first byte to the last. */
#include "formats/core/memory.h"
#include "formats/formats.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

enum { FILES = 64 };

/* How far each file was tiled. */
struct tiled {
	char file[FILES][128];
	uint64_t end[FILES];
	size_t count, tensors;
};

static int
tile(void *ctx, const struct phi_region *r, struct phi_err *err)
{
	struct tiled *const t = ctx;
	size_t i = 0;
	(void)err;
	assert_non_null(r->file);
	while (i < t->count && strcmp(t->file[i], r->file) != 0)
		i++;
	assert_true(i < FILES);
	if (i == t->count)
		snprintf(t->file[t->count++], sizeof t->file[0], "%s", r->file);
	if (r->offset != t->end[i])
		fail_msg("%s: a region at %llu, the one before ended at %llu", r->file,
			(unsigned long long)r->offset, (unsigned long long)t->end[i]);
	assert_true(r->size > 0);
	t->end[i] += r->size;
	t->tensors += strstr(r->what, "tensor") || strstr(r->what, "storage");
	return 0;
}

/* A folder's files lie in it, those that a file names beside it. */
static uint64_t
size_of(const char *path, const char *file)
{
	struct stat st;
	char inner[512];
	assert_int_equal(stat(path, &st), 0);
	if (S_ISDIR(st.st_mode) || strstr(path, ".index.json") || strstr(path, ".onnx")) {
		const int n = S_ISDIR(st.st_mode) ? (int)strlen(path)
						  : (int)(strrchr(path, '/') - path);
		snprintf(inner, sizeof inner, "%.*s/%s", n, path, file);
		assert_int_equal(stat(inner, &st), 0);
	}
	return (uint64_t)st.st_size;
}

static size_t checked;

static void
check(const char *path)
{
	static struct tiled tiled;
	const struct phi_open_options options = { .size = sizeof options, .members = true };
	const struct phi_regions regions = { .emit = tile, .ctx = &tiled };
	struct phi_err err = { 0 };
	tiled = (struct tiled){ .count = 0 };
	struct phi_source *const source = phi_open(path, &options, &err);
	if (!source && err.kind == PHI_UNSUPPORTED)
		return; /* what lies beside the models */
	if (!source)
		fail_msg("%s", err.text);
	checked++;
	if (phi_source_settle(source, NULL, &err) || !source->ops->layout ||
		source->ops->layout(source, &regions, &err))
		fail_msg("%s: no layout: %s", path, err.text);
	assert_true(tiled.count > 0);
	for (size_t i = 0; i < tiled.count; i++)
		if (tiled.end[i] != size_of(path, tiled.file[i]))
			fail_msg("%s: tiled up to %llu", path, (unsigned long long)tiled.end[i]);
	if (source->model->ntensors)
		assert_true(tiled.tensors > 0);
	phi_source_close(source);
}

static int
visit(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	/* A list of what is in the files beside it is no model. */
	if (flag == FTW_F && !strstr(path, ".tensors"))
		check(path);
	return 0;
}

static void
fixtures(void **state)
{
	(void)state;
	assert_int_equal(nftw("fixtures/small", visit, 16, FTW_PHYS), 0);
	assert_true(checked >= 30);
}

static void
folders(void **state)
{
	(void)state;
	check("fixtures/small/safetensors/sharded");
	check("fixtures/phi-tiny");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fixtures),
		cmocka_unit_test(folders),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
