/* A folder of ONNX Runtime GenAI of any bytes: genai_config.json, config.json or none, and the decoder, in a tar, opened as
 * a user's folder would be. What opens is a checkpoint of a known family, and all of it can be read. */
#include "formats/formats.h"
#include "formats/models/family.h"
#include "tests/fuzz/open.h"
#include "tests/fuzz/tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ENTRY_MAX = 1 << 20, PARTS = 3 };

static void
look(const char *path)
{
	static const struct phi_spool_options spool = { .refuse = false };
	const struct phi_open_options options = { .size = sizeof options, .spool = &spool };
	const struct phi_lower_options lower = { .size = sizeof lower };
	struct phi_err err = { 0 };
	struct phi_hparams h;
	struct phi_source *const source = phi_open(path, &options, &err);
	if (!source) {
		must(err.text[0] && !strchr(err.text, '\n'));
		return;
	}
	if (!strcmp(source->format, "onnx-genai")) {
		must(source->model->family && phi_model_side(source->model, "config.json"));
		must(!phi_family_hparams(source->model, &h, &err));
	}
	fuzz_read(source);
	phi_model_free(phi_lower(source->model, phi_format_named("hf"), &lower, &err));
	phi_source_close(source);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t tar[2 * ENTRY_MAX + 2 * (PARTS + 2) * FUZZ_RECORD];
	size_t at = 0;
	if (size > ENTRY_MAX)
		return 0;
	const struct fuzz_part genai = fuzz_part(&data, &size), config = fuzz_part(&data, &size);
	fuzz_tar_entry(tar, &at, "genai_config.json", genai);
	if (config.size)
		fuzz_tar_entry(tar, &at, "config.json", config);
	fuzz_tar_entry(tar, &at, "model.onnx", (struct fuzz_part){ data, size });
	memset(tar + at, 0, 2 * FUZZ_RECORD);
	const int fd = fuzz_file(tar, at + 2 * FUZZ_RECORD);
	look(fuzz_path(fd).text);
	close(fd);
	return 0;
}
