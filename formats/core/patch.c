#include "formats/core/patch.h"

#include "formats/core/bytes.h"
#include "formats/core/escape.h"
#include "formats/core/io.h"
#include "formats/core/limits.h"
#include "formats/core/memory.h"
#include "formats/core/output.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD = 24, UNDO_MAX = 1 << 29 };
static const char magic[8] = "PHIUNDO1";

/* A file opened to be changed. */
struct target {
	const char *path;
	char undo[PATH_MAX];
	int fd;
	uint64_t size;
};

/* What FILE.undo says. */
struct undo {
	uint8_t *data; /* the whole of it, or NULL: there is none */
	uint64_t file, n;
	const uint8_t *before, *after;
};

enum standing { STANDS_BEFORE, STANDS_AFTER, STANDS_BETWEEN, STANDS_APART };

void
phi_patch_free(struct phi_patch *patch)
{
	phi_buffer_free(&patch->before);
	phi_buffer_free(&patch->after);
}

static int
open_target(struct target *t, const char *path, struct phi_err *err)
{
	struct stat st;
	*t = (struct target){ .path = path };
	if (snprintf(t->undo, sizeof t->undo, "%s.undo", path) >= (int)sizeof t->undo)
		return phi_fail(err, PHI_ARGUMENT, "too long a path");
	t->fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (t->fd < 0)
		return phi_fail_errno(err, "cannot be changed");
	if (fstat(t->fd, &st)) {
		phi_fail_errno(err, "cannot be examined");
	} else if (!S_ISREG(st.st_mode)) {
		phi_fail(err, PHI_ARGUMENT, "is no regular file");
	} else if (flock(t->fd, LOCK_EX | LOCK_NB)) {
		phi_fail_errno(err, "is being changed by someone else");
	} else {
		t->size = (uint64_t)st.st_size;
		return 0;
	}
	close(t->fd);
	return -1;
}

static int
read_undo(const struct target *t, struct undo *u, struct phi_err *err)
{
	struct stat st;
	struct phi_quoted q;
	*u = (struct undo){ 0 };
	if (stat(t->undo, &st))
		return errno == ENOENT ? 0 : phi_fail_errno(err, "%s", phi_quote(&q, t->undo));
	void *data = NULL;
	size_t size = 0;
	struct phi_store *const store = phi_store_open(t->undo, NULL, err);
	struct phi_member *const member = store ? phi_store_member(store, NULL, err) : NULL;
	const int status = member ? phi_member_load(member, UNDO_MAX, &data, &size, err) : -1;
	phi_member_close(member);
	phi_store_close(store);
	if (status)
		return -1;
	u->data = data;
	if (size >= HEAD) {
		u->file = phi_load64(u->data + 8);
		u->n = phi_load64(u->data + 16);
	}
	if (size < HEAD || memcmp(data, magic, sizeof magic) || u->n > UNDO_MAX ||
		size != HEAD + 2 * u->n)
		return phi_fail(
			err, PHI_FORMAT, "%s: is no undo file; move it away", phi_quote(&q, t->undo));
	u->before = u->data + HEAD;
	u->after = u->before + u->n;
	return 0;
}

/* The first n bytes, in fresh memory. */
static uint8_t *
read_start(const struct target *t, uint64_t n, struct phi_err *err)
{
	uint8_t *const bytes = phi_alloc((size_t)n + 1, err);
	const ssize_t got = bytes ? phi_io_pread(t->fd, bytes, (size_t)n, 0) : -1;
	if (bytes && got == (ssize_t)n)
		return bytes;
	if (bytes && got < 0)
		phi_fail_errno(err, "cannot be read");
	else if (bytes)
		phi_fail(err, PHI_TRUNCATED, "ends within its header");
	phi_free(bytes);
	return NULL;
}

static enum standing
compare(const uint8_t *is, const struct undo *u)
{
	if (!memcmp(is, u->after, (size_t)u->n))
		return STANDS_AFTER;
	if (!memcmp(is, u->before, (size_t)u->n))
		return STANDS_BEFORE;
	for (uint64_t i = 0; i < u->n; i++)
		if (is[i] != u->before[i] && is[i] != u->after[i])
			return STANDS_APART;
	return STANDS_BETWEEN;
}

static int
find_standing(const struct target *t, const struct undo *u, enum standing *standing,
	struct phi_err *err)
{
	*standing = STANDS_APART;
	if (u->file != t->size || u->n > t->size)
		return 0;
	uint8_t *const is = read_start(t, u->n, err);
	if (is)
		*standing = compare(is, u);
	phi_free(is);
	return is ? 0 : -1;
}

/* Writes the start and syncs it. Signals wait: a kill is the crash that undoing is for. */
static int
overwrite(const struct target *t, const uint8_t *bytes, uint64_t n,
	const struct phi_patch_options *options, struct phi_err *err)
{
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int status = phi_io_pwrite(t->fd, bytes, (size_t)n, 0);
	if (!status && !options->no_sync)
		status = phi_io_sync(t->fd);
	if (status)
		phi_fail_errno(err, "cannot be written");
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return status;
}

static int
write_undo(const struct target *t, const struct phi_patch *patch,
	const struct phi_patch_options *options, struct phi_err *err)
{
	const struct phi_output_options how = { .force = true, .no_sync = options->no_sync };
	struct phi_output *const out = phi_output_open(PHI_OUTPUT_FILES, t->undo, &how, err);
	uint8_t head[HEAD];
	memcpy(head, magic, sizeof magic);
	phi_store64(head + 8, t->size);
	phi_store64(head + 16, patch->before.size);
	const int failed = !out || phi_output_add(out, NULL, err) ||
		phi_output_append(out, 0, head, sizeof head, err) ||
		phi_output_append(out, 0, patch->before.data, patch->before.size, err) ||
		phi_output_append(out, 0, patch->after.data, patch->after.size, err) ||
		phi_output_commit(out, err);
	phi_output_close(out);
	return failed ? -1 : 0;
}

static int
check_undo(const struct target *t, struct phi_err *err)
{
	struct undo u;
	enum standing standing = STANDS_AFTER;
	struct phi_quoted q;
	int result = read_undo(t, &u, err);
	if (!result && u.data)
		result = find_standing(t, &u, &standing, err);
	phi_free(u.data);
	if (result || standing == STANDS_AFTER || standing == STANDS_BEFORE)
		return result;
	if (standing == STANDS_BETWEEN)
		return phi_fail(err, PHI_FORMAT, "a change was cut short; --undo takes it back");
	return phi_fail(err, PHI_ARGUMENT, "%s: belongs to what the file was once; move it away",
		phi_quote(&q, t->undo));
}

static int
check_start(const struct target *t, const struct phi_patch *patch, struct phi_err *err)
{
	uint8_t *const is = read_start(t, patch->before.size, err);
	if (!is)
		return -1;
	const bool same = !memcmp(is, patch->before.data, patch->before.size);
	phi_free(is);
	return same ? 0 : phi_fail(err, PHI_FORMAT, "was changed while it was read");
}

static int
apply(const struct target *t, const struct phi_patch *patch,
	const struct phi_patch_options *options, struct phi_err *err)
{
	if (patch->before.size != patch->after.size || patch->before.size > UNDO_MAX / 4)
		return phi_fail(err, PHI_LIMIT, "%zu bytes are too many to change in place",
			patch->before.size);
	if (check_undo(t, err) || check_start(t, patch, err) ||
		write_undo(t, patch, options, err))
		return -1;
	if (!overwrite(t, patch->after.data, patch->after.size, options, err))
		return 0;
	overwrite(t, patch->before.data, patch->before.size, options, NULL);
	return -1;
}

int
phi_patch_check(const char *path, struct phi_err *err)
{
	struct target t;
	if (open_target(&t, path, err))
		return -1;
	const int result = check_undo(&t, err);
	close(t.fd);
	return result;
}

int
phi_patch_apply(const char *path, const struct phi_patch *patch,
	const struct phi_patch_options *options, struct phi_err *err)
{
	struct target t;
	if (open_target(&t, path, err))
		return -1;
	const int result = apply(&t, patch, options, err);
	close(t.fd);
	return result;
}

static int
restore(const struct target *t, const struct undo *u, const struct phi_patch_options *options,
	struct phi_err *err)
{
	enum standing standing;
	if (find_standing(t, u, &standing, err))
		return -1;
	if (standing == STANDS_APART)
		return phi_fail(err, PHI_ARGUMENT, "was changed otherwise since; nothing is undone");
	if (standing != STANDS_BEFORE && overwrite(t, u->before, u->n, options, err))
		return -1;
	return unlink(t->undo) ? phi_fail_errno(err, "%s: cannot be removed", t->undo) : 0;
}

int
phi_patch_undo(const char *path, const struct phi_patch_options *options, struct phi_err *err)
{
	struct target t;
	struct undo u;
	if (open_target(&t, path, err))
		return -1;
	int result = read_undo(&t, &u, err);
	if (!result)
		result = u.data ? restore(&t, &u, options, err)
				: phi_fail(err, PHI_ARGUMENT, "there is no .undo file beside it");
	phi_free(u.data);
	close(t.fd);
	return result;
}
