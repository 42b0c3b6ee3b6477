/* An MLX folder of any bytes: config.json and the weights, in a tar, opened as a user's folder would be. */
#include "formats/formats.h"
#include "tests/fuzz/open.h"
#include "tests/fuzz/parts.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECORD = 512, ENTRY_MAX = 1 << 20 };

/* A plain ustar entry behind *at. */
static void
put_entry(uint8_t *tar, size_t *at, const char *name, struct fuzz_part part)
{
	uint8_t *const head = tar + *at;
	unsigned sum = 0;
	memset(head, 0, RECORD);
	snprintf((char *)head, 100, "%s", name);
	memcpy(head + 100, "0000644\0000000000\0000000000", 24);
	snprintf((char *)head + 124, 12, "%011o", (unsigned)part.size);
	memcpy(head + 136, "00000000000", 12);
	memcpy(head + 148, "        0", 9);
	memcpy(head + 257, "ustar\00000", 8);
	for (size_t i = 0; i < RECORD; i++)
		sum += head[i];
	snprintf((char *)head + 148, 8, "%06o", sum);
	if (part.size)
		memcpy(head + RECORD, part.data, part.size);
	*at += RECORD + part.size;
	while (*at % RECORD)
		tar[(*at)++] = 0;
}

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
	static uint8_t tar[2 * ENTRY_MAX + 6 * RECORD];
	size_t at = 0;
	if (size > ENTRY_MAX)
		return 0;
	const struct fuzz_part config = fuzz_part(&data, &size);
	put_entry(tar, &at, "config.json", config);
	put_entry(tar, &at, "model.safetensors", (struct fuzz_part){ data, size });
	memset(tar + at, 0, 2 * RECORD);
	const int fd = fuzz_file(tar, at + 2 * RECORD);
	look(fuzz_path(fd).text);
	close(fd);
	return 0;
}
