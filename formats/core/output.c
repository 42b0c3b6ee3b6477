/* Outputs: opening, adding files, writing. Making them appear is output_commit.c. */
#include "formats/core/output_inside.h"

#include "formats/core/escape.h"
#include "formats/core/fault.h"
#include "formats/core/io.h"
#include "formats/core/memory.h"
#include "formats/core/store_inside.h"
#include "formats/core/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *
copy_text(const char *s, size_t n, struct phi_err *err)
{
	char *const copy = phi_alloc(n + 1, err);
	if (!copy)
		return NULL;
	memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

/* Splits the path into the folder it lies in and its last component. */
static int
open_parent(struct phi_output *output, const char *path, struct phi_err *err)
{
	size_t n = strlen(path);
	while (n > 1 && path[n - 1] == '/' && output->kind == PHI_OUTPUT_FOLDER)
		n--;
	output->path = copy_text(path, n, err);
	if (!output->path)
		return -1;
	struct phi_quoted q;
	char *const slash = strrchr(output->path, '/');
	const char *const last = slash ? slash + 1 : output->path;
	if (!phi_store_name_safe(last))
		return phi_fail(err, PHI_ARGUMENT, "%s: not a name for an output", phi_quote(&q, path));
	output->name = copy_text(last, strlen(last), err);
	if (!output->name)
		return -1;
	char *const folder = slash ? copy_text(path, slash == output->path ? 1 :
		(size_t)(slash - output->path), err) : NULL;
	if (slash && !folder)
		return -1;
	output->parent = open(folder ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (output->parent < 0)
		phi_fail_errno(err, "%s: its folder cannot be opened", phi_quote(&q, path));
	phi_free(folder);
	return output->parent < 0 ? -1 : 0;
}

int
phi_output_check_target(const struct phi_output *output, const char *name, bool *exists,
	struct phi_err *err)
{
	struct stat st;
	const bool folder = output->kind == PHI_OUTPUT_FOLDER;
	*exists = !fstatat(output->parent, name, &st, AT_SYMLINK_NOFOLLOW);
	if (!*exists)
		return errno == ENOENT ? 0 : phi_fail_errno(err, "cannot be examined");
	if (!output->options.force)
		return phi_fail(err, PHI_ARGUMENT, "exists already; --force replaces it");
	if (folder && !S_ISDIR(st.st_mode))
		return phi_fail(err, PHI_ARGUMENT, "exists and is not a folder");
	if (!folder && !S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
		return phi_fail(err, PHI_ARGUMENT, "exists and is not a regular file");
	return 0;
}

static int
open_folder(struct phi_output *output, struct phi_err *err)
{
	bool exists;
	struct phi_quoted q;
	if (!phi_output_check_target(output, output->name, &exists, err)) {
		output->folder_temporary = phi_temporary_folder(output->parent, output->name,
			&output->folder, err);
		if (output->folder_temporary >= 0)
			return 0;
	}
	return phi_context(err, "%s", phi_quote(&q, output->path));
}

static int
check_stdout(struct phi_err *err)
{
	struct stat st;
	if (fstat(STDOUT_FILENO, &st))
		return phi_fail_errno(err, "stdout");
	if (isatty(STDOUT_FILENO))
		return phi_fail(err, PHI_ARGUMENT,
			"will not write a model to a terminal; name an output or pipe it on");
	return 0;
}

struct phi_output *
phi_output_open(enum phi_output_kind kind, const char *path,
	const struct phi_output_options *options, struct phi_err *err)
{
	struct phi_output *const output = phi_calloc(1, sizeof *output, err);
	if (!output)
		return NULL;
	output->kind = kind;
	output->options = options ? *options : (struct phi_output_options){ 0 };
	output->parent = output->folder = output->folder_temporary = -1;
	int status;
	if (kind == PHI_OUTPUT_STDOUT)
		status = check_stdout(err);
	else
		status = open_parent(output, path, err);
	if (!status && kind == PHI_OUTPUT_FOLDER)
		status = open_folder(output, err);
	if (!status)
		return output;
	phi_output_close(output);
	return NULL;
}

/* Is the final name, as it stands now, the input? */
static int
check_input(const struct phi_output *output, const char *name, struct phi_err *err)
{
	struct stat st;
	if (!output->input)
		return 0;
	const int status = output->kind == PHI_OUTPUT_STDOUT ? fstat(STDOUT_FILENO, &st) :
		fstatat(output->parent, name, &st, 0);
	if (!status && phi_store_holds(output->input, &st))
		return phi_fail(err, PHI_ARGUMENT, "is the input; it would be lost");
	return 0;
}

int
phi_output_protect(struct phi_output *output, struct phi_store *input, struct phi_err *err)
{
	struct phi_quoted q;
	output->input = input;
	if (check_input(output, output->name, err))
		return phi_context(err, "%s", output->path ? phi_quote(&q, output->path) : "stdout");
	return 0;
}

/* Opens what the file is written to: a descriptor, and a temporary name unless it is stdout. */
static int
open_file(struct phi_output *output, struct phi_output_file *f, struct phi_err *err)
{
	switch (output->kind) {
	case PHI_OUTPUT_STDOUT:
		/* A copy: closing it reports what the file system has kept to itself so far, while the
		 * descriptor 1 itself stays for the tool's own check. */
		f->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
		if (f->fd < 0)
			return phi_fail_errno(err, "cannot be opened");
		phi_io_widen(f->fd);
		return 0;
	case PHI_OUTPUT_FOLDER:
		f->temporary = phi_temporary_inside(output->folder, f->name, &f->fd, err);
		return f->temporary < 0 ? -1 : 0;
	case PHI_OUTPUT_FILES:
		break;
	}
	bool exists;
	if (check_input(output, f->name, err) ||
		phi_output_check_target(output, f->name, &exists, err))
		return -1;
	f->temporary = phi_temporary_file(output->parent, f->name, &f->fd, err);
	return f->temporary < 0 ? -1 : 0;
}

int
phi_output_add(struct phi_output *output, const char *name, struct phi_err *err)
{
	struct phi_quoted q;
	if (!name)
		name = output->kind == PHI_OUTPUT_FILES ? output->name : "stdout";
	if (strchr(name, '/') || !phi_store_name_safe(name))
		return phi_fail(err, PHI_ARGUMENT, "%s: not a name for an output file",
			phi_quote(&q, name));
	if (output->kind == PHI_OUTPUT_STDOUT && output->nfiles)
		return phi_fail(err, PHI_UNSUPPORTED, "an output of several files cannot go to a pipe");
	for (size_t i = 0; i < output->nfiles; i++)
		if (!strcmp(output->files[i].name, name))
			return phi_fail(err, PHI_ARGUMENT, "%s: two output files of that name",
				phi_quote(&q, name));
	if (phi_grow(&output->files, &output->capacity, output->nfiles, sizeof *output->files, err))
		return -1;
	struct phi_output_file *const f = &output->files[output->nfiles];
	*f = (struct phi_output_file){ .fd = -1, .temporary = -1 };
	f->name = copy_text(name, strlen(name), err);
	if (!f->name)
		return -1;
	if (open_file(output, f, err)) {
		phi_context(err, "%s", phi_quote(&q, name));
		phi_free(f->name);
		return -1;
	}
	output->nfiles++;
	return 0;
}

static int
fail_write(const struct phi_output_file *f, uint64_t offset, struct phi_err *err)
{
	struct phi_quoted q;
	return phi_fail_errno(err, "%s: cannot write at offset %" PRIu64, phi_quote(&q, f->name),
		offset);
}

int
phi_output_write_at(struct phi_output *output, unsigned file, uint64_t offset, const void *src,
	size_t n, struct phi_err *err)
{
	const struct phi_output_file *const f = &output->files[file];
	if (output->kind == PHI_OUTPUT_STDOUT)
		return phi_fail(err, PHI_ARGUMENT, "stdout is written in order only");
	return phi_io_pwrite(f->fd, src, n, offset) ? fail_write(f, offset, err) : 0;
}

int
phi_output_append(struct phi_output *output, unsigned file, const void *src, size_t n,
	struct phi_err *err)
{
	struct phi_output_file *const f = &output->files[file];
	const int status = output->kind == PHI_OUTPUT_STDOUT ? phi_io_write(f->fd, src, n) :
		phi_io_pwrite(f->fd, src, n, f->at);
	if (status)
		return fail_write(f, f->at, err);
	f->at += n;
	return 0;
}

int
phi_output_size(struct phi_output *output, unsigned file, uint64_t size, struct phi_err *err)
{
	const struct phi_output_file *const f = &output->files[file];
	if (output->kind == PHI_OUTPUT_STDOUT)
		return 0;
	int status;
	do
		status = phi_fault_io(NULL) ? -1 : ftruncate(f->fd, (off_t)size);
	while (status && errno == EINTR);
	return status ? fail_write(f, size, err) : 0;
}

bool
phi_output_sequential(const struct phi_output *output)
{
	return output->kind == PHI_OUTPUT_STDOUT;
}

void
phi_output_close(struct phi_output *output)
{
	if (!output)
		return;
	for (size_t i = 0; i < output->nfiles; i++) {
		struct phi_output_file *const f = &output->files[i];
		if (f->fd >= 0)
			close(f->fd);
		if (f->temporary >= 0)
			phi_temporary_remove(f->temporary);
		phi_free(f->name);
	}
	if (output->folder_temporary >= 0)
		phi_temporary_remove(output->folder_temporary);
	if (output->folder >= 0)
		close(output->folder);
	if (output->parent >= 0)
		close(output->parent);
	phi_free(output->files);
	phi_free(output->path);
	phi_free(output->name);
	phi_free(output);
}
