/* A file of any format, as a file and through a pipe: refused with one line, or described the same way by both and
 * read to the end. */
#include "formats/formats.h"
#include "tests/fuzz/memory.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PIPE_MAX = 60 << 10 };

static struct phi_source *
open_fd(int fd, struct phi_err *err)
{
	static const struct phi_spool_options spool = { .refuse = false, .beside = "/dev/shm" };
	const struct phi_open_options options = { .size = sizeof options, .spool = &spool, .name = "fuzz" };
	struct phi_source *const source = phi_open(fuzz_path(fd).text, &options, err);
	must(source || (err->kind != PHI_OK && err->text[0] && !strchr(err->text, '\n')));
	return source;
}

/* Every storage in order; 0 if all of it could be read and the end is right. */
static int
read_all(struct phi_source *source, struct phi_err *err)
{
	static uint8_t buffer[1 << 16];
	for (uint32_t i = 0; i < source->model->nstorages; i++)
		for (uint64_t at = 0, size = source->model->storages[i].size; at < size;) {
			const size_t n = size - at < sizeof buffer ? (size_t)(size - at) : sizeof buffer;
			if (phi_source_read(source, i, at, buffer, n, err))
				return -1;
			at += n;
		}
	return phi_source_finish(source, err);
}

static void
same(const struct phi_model *a, const struct phi_model *b)
{
	must(a->ntensors == b->ntensors && a->nsides == b->nsides &&
		a->metadata.count == b->metadata.count);
	for (size_t i = 0; i < a->ntensors; i++)
		must(!strcmp(a->tensors[i].name, b->tensors[i].name) &&
			phi_type_same(a->tensors[i].type, b->tensors[i].type));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct phi_err err = { 0 }, piped_err = { 0 };
	const int fd = fuzz_file(data, size);
	struct phi_source *const file = open_fd(fd, &err);
	if (size <= PIPE_MAX) {
		const int fd2 = fuzz_pipe(data, size);
		struct phi_source *const piped = open_fd(fd2, &piped_err);
		/* A file is seen to be too short at once, a pipe when it ends. */
		must(!file || piped);
		const bool good = piped && !read_all(piped, &piped_err);
		must(!good || file);
		if (file) {
			same(file->model, piped->model);
			must(!read_all(file, &err) == good);
		}
		phi_source_close(piped);
		close(fd2);
	} else if (file) {
		(void)read_all(file, &err);
	}
	phi_source_close(file);
	close(fd);
	return 0;
}
