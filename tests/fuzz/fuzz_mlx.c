/* An MLX folder of any bytes: config.json and the weights, in a tar, opened as a user's folder would be. */
#include "formats/formats.h"
#include "tests/fuzz/open.h"
#include "tests/fuzz/tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ENTRY_MAX = 1 << 20 };

static void
look(const char *path)
{
	static const struct phi_spool_options spool = { .refuse = false };
	const struct phi_open_options options = { .size = sizeof options, .spool = &spool };
	const struct phi_lower_options lower = { .size = sizeof lower };
	struct phi_err err = { 0 };
	struct phi_source *const source = phi_open(path, &options, &err);
	if (!source) {
		if (!err.text[0] || strchr(err.text, '\n'))
			abort(); /* a failure must say what it is */
		return;
	}
	fuzz_read(source);
	const struct phi_format *const mlx = phi_format_named("mlx");
	struct phi_model *const lowered = phi_lower(source->model, mlx, &lower, &err);
	const struct phi_plan_options plan = { .size = sizeof plan };
	phi_plan_free(lowered ? phi_plan_make(lowered, mlx, &plan, &err) : NULL);
	phi_source_close(source);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t tar[2 * ENTRY_MAX + 6 * FUZZ_RECORD];
	size_t at = 0;
	if (size > ENTRY_MAX)
		return 0;
	const struct fuzz_part config = fuzz_part(&data, &size);
	fuzz_tar_entry(tar, &at, "config.json", config);
	fuzz_tar_entry(tar, &at, "model.safetensors", (struct fuzz_part){ data, size });
	memset(tar + at, 0, 2 * FUZZ_RECORD);
	const int fd = fuzz_file(tar, at + 2 * FUZZ_RECORD);
	look(fuzz_path(fd).text);
	close(fd);
	return 0;
}
