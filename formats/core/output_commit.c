/* Making an output appear.
 *
 * Everything is first written out and synced under temporary names. Then the names change: a file that
 * is new is renamed without replacing; one that replaces another is exchanged with it, so that a later
 * failure can exchange it back. Signals wait while names change. */
#include "formats/core/output_inside.h"

#include "formats/core/escape.h"
#include "formats/core/fault.h"
#include "formats/core/io.h"
#include "formats/core/temporary.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* fsync unless --no-sync; close, which reports what a network file system kept to itself. */
static int
finish_file(const struct phi_output *output, struct phi_output_file *f, struct phi_err *err)
{
	struct phi_quoted q;
	const bool sync = !output->options.no_sync && output->kind != PHI_OUTPUT_STDOUT;
	if (sync && phi_io_sync(f->fd))
		return phi_fail_errno(err, "%s: cannot be written to disk", phi_quote(&q, f->name));
	const int fd = f->fd;
	f->fd = -1;
	if ((phi_fault_io(NULL) && errno != EINTR) || (close(fd) && errno != EINTR))
		return phi_fail_errno(err, "%s: cannot be closed", phi_quote(&q, f->name));
	return 0;
}

static int
sync_folder(const struct phi_output *output, int fd, struct phi_err *err)
{
	struct phi_quoted q;
	if (!output->options.no_sync && phi_io_sync(fd))
		return phi_fail_errno(err, "%s: its folder cannot be written to disk",
			phi_quote(&q, output->path));
	return 0;
}

static int
change_name(int folder, const char *from, const char *to, unsigned flags)
{
	int status;
	do
		status = phi_fault_io(NULL) ? -1 : renameat2(folder, from, folder, to, flags);
	while (status && errno == EINTR);
	return status;
}

/* Does the file system lack the flags of renameat2? */
static bool
flags_missing(void)
{
	return errno == EINVAL || errno == ENOSYS;
}

/* Gives a temporary its final name. After an exchange the temporary name holds what was there. */
static int
reveal(const struct phi_output *output, struct phi_output_file *f, struct phi_err *err)
{
	const char *const from = phi_temporary_name(f->temporary);
	bool exists;
	struct phi_quoted q;
	f->exchanged = false;
	if (phi_output_check_target(output, f->name, &exists, err))
		return phi_context(err, "%s", phi_quote(&q, f->name));
	f->exchanged = exists;
	if (!change_name(output->parent, from, f->name, exists ? RENAME_EXCHANGE : RENAME_NOREPLACE))
		return 0;
	f->exchanged = false;
	if (flags_missing() && !change_name(output->parent, from, f->name, 0))
		return 0;
	return phi_fail_errno(err, "%s: cannot be renamed", phi_quote(&q, f->name));
}

/* Takes back the names given so far. */
static void
conceal(struct phi_output *output, size_t count)
{
	for (size_t i = count; i--;) {
		const struct phi_output_file *const f = &output->files[i];
		const char *const temporary = phi_temporary_name(f->temporary);
		if (f->exchanged)
			renameat2(output->parent, temporary, output->parent, f->name, RENAME_EXCHANGE);
		else
			unlinkat(output->parent, f->name, 0);
	}
}

int
phi_output_commit_files(struct phi_output *output, struct phi_err *err)
{
	for (size_t i = 0; i < output->nfiles; i++) {
		if (reveal(output, &output->files[i], err)) {
			conceal(output, i);
			return -1;
		}
	}
	if (sync_folder(output, output->parent, err)) {
		conceal(output, output->nfiles);
		return -1;
	}
	for (size_t i = 0; i < output->nfiles; i++) {
		struct phi_output_file *const f = &output->files[i];
		if (f->exchanged)
			phi_temporary_remove(f->temporary);
		else
			phi_temporary_release(f->temporary);
		f->temporary = -1;
	}
	return 0;
}

static bool
planned(const struct phi_output *output, const char *name)
{
	for (size_t i = 0; i < output->nfiles; i++)
		if (!strcmp(output->files[i].name, name))
			return true;
	return false;
}

/* Calls for each entry of an open folder but . and ..; stops at the first that is not 0. */
static int
each_entry(int fd, int (*visit)(void *ctx, int folder, const char *name, struct phi_err *err),
	void *ctx, struct phi_err *err)
{
	const int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *const dir = copy >= 0 ? fdopendir(copy) : NULL;
	if (!dir) {
		phi_fail_errno(err, "cannot be listed");
		if (copy >= 0)
			close(copy);
		return -1;
	}
	int status = 0;
	for (const struct dirent *e; !status && (e = readdir(dir));)
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			status = visit(ctx, fd, e->d_name, err);
	closedir(dir);
	return status;
}

static int
expect_planned(void *ctx, int folder, const char *name, struct phi_err *err)
{
	struct stat st;
	struct phi_quoted q;
	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW))
		return phi_fail_errno(err, "%s", phi_quote(&q, name));
	if (S_ISDIR(st.st_mode) || !planned(ctx, name))
		return phi_fail(err, PHI_ARGUMENT,
			"holds %s, which this job does not write; not replaced", phi_quote(&q, name));
	return 0;
}

static int
unlink_planned(void *ctx, int folder, const char *name, struct phi_err *err)
{
	(void)err;
	if (planned(ctx, name))
		unlinkat(folder, name, 0);
	return 0;
}

/* Puts the new folder in the place of the old one and takes the old one apart. */
static int
exchange_folder(struct phi_output *output, struct phi_err *err)
{
	const char *const temporary = phi_temporary_name(output->folder_temporary);
	const int old = openat(output->parent, output->name,
		O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (old < 0)
		return phi_fail_errno(err, "cannot be opened");
	int status = each_entry(old, expect_planned, output, err);
	if (!status && change_name(output->parent, temporary, output->name, RENAME_EXCHANGE))
		status = phi_fail_errno(err, "cannot be exchanged with the new folder");
	if (!status && sync_folder(output, output->parent, err)) {
		renameat2(output->parent, temporary, output->parent, output->name, RENAME_EXCHANGE);
		status = -1;
	}
	if (!status) {
		each_entry(old, unlink_planned, output, NULL);
		phi_temporary_remove(output->folder_temporary);
	}
	close(old);
	return status;
}

static int
rename_folder(struct phi_output *output, struct phi_err *err)
{
	const char *const temporary = phi_temporary_name(output->folder_temporary);
	int status = change_name(output->parent, temporary, output->name, RENAME_NOREPLACE);
	/* rename(2) puts a folder over an empty one only */
	if (status && flags_missing())
		status = change_name(output->parent, temporary, output->name, 0);
	if (status)
		return phi_fail_errno(err, "cannot be renamed");
	if (sync_folder(output, output->parent, err)) {
		renameat(output->parent, output->name, output->parent, temporary);
		return -1;
	}
	phi_temporary_release(output->folder_temporary);
	return 0;
}

int
phi_output_commit_folder(struct phi_output *output, struct phi_err *err)
{
	bool exists;
	struct phi_quoted q;
	if (sync_folder(output, output->folder, err))
		return -1;
	if (phi_output_check_target(output, output->name, &exists, err) ||
		(exists ? exchange_folder(output, err) : rename_folder(output, err)))
		return phi_context(err, "%s", phi_quote(&q, output->path));
	output->folder_temporary = -1;
	for (size_t i = 0; i < output->nfiles; i++) {
		phi_temporary_release(output->files[i].temporary);
		output->files[i].temporary = -1;
	}
	return 0;
}

int
phi_output_commit(struct phi_output *output, struct phi_err *err)
{
	for (size_t i = 0; i < output->nfiles; i++)
		if (finish_file(output, &output->files[i], err))
			return -1;
	if (output->kind == PHI_OUTPUT_STDOUT)
		return 0;
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	const int status = output->kind == PHI_OUTPUT_FOLDER ?
		phi_output_commit_folder(output, err) : phi_output_commit_files(output, err);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return status;
}
