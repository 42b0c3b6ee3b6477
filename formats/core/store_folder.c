/* A folder as a store. Every component of a name is opened by itself and never through a link, so that
 * nothing that happens to the folder meanwhile can lead out of it. A link that ends a name is read, put
 * together with the folder it lies in by hand, and must come out beneath the folder, or as
 * ../../blobs/NAME, which is where a Hugging Face cache keeps the bytes of snapshots/REVISION/. */
#include "formats/core/store_inside.h"

#include "formats/core/escape.h"
#include "formats/core/limits.h"
#include "formats/core/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINKS_MAX = 4 }; /* a link to a link to ... */

/* A path as components; ups counts the ".." left over at its start. */
struct route {
	char text[PATH_MAX]; /* "a/b/c" */
	size_t size;
	unsigned ups;
};

/* Walks the route by the components of a relative path. False if it is too long or absolute. */
static bool
walk(struct route *r, const char *path)
{
	if (*path == '/')
		return false;
	for (const char *p = path; *p;) {
		const size_t n = strcspn(p, "/");
		if (n == 2 && p[0] == '.' && p[1] == '.') {
			const char *const slash = memrchr(r->text, '/', r->size);
			if (!r->size)
				r->ups++;
			r->size = slash ? (size_t)(slash - r->text) : 0;
		} else if (n && !(n == 1 && p[0] == '.')) {
			if (r->size + n + 2 > sizeof r->text)
				return false;
			if (r->size)
				r->text[r->size++] = '/';
			memcpy(r->text + r->size, p, n);
			r->size += n;
		}
		p += n + (p[n] == '/');
	}
	r->text[r->size] = '\0';
	return true;
}

/* Where a link at the route leads; false if that is not allowed. */
static bool
follow(struct route *r, const char *target)
{
	const char *const slash = memrchr(r->text, '/', r->size);
	r->size = slash ? (size_t)(slash - r->text) : 0;
	if (!walk(r, target))
		return false;
	if (!r->ups)
		return r->size > 0;
	/* snapshots/REVISION is two folders below the one that has blobs */
	return r->ups == 2 && !strncmp(r->text, "blobs/", 6) && !strchr(r->text + 6, '/');
}

/* Opens the folder the route's last component lies in; *last is that component. */
static int
open_parent(int top, const struct route *r, const char **last)
{
	int fd = openat(top, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (unsigned i = 0; fd >= 0 && i < r->ups; i++) {
		const int up = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = up;
	}
	const char *p = r->text;
	for (size_t n; fd >= 0 && p[n = strcspn(p, "/")]; p += n + 1) {
		char name[NAME_MAX + 1];
		int down = -1;
		if (n < sizeof name) {
			memcpy(name, p, n);
			name[n] = '\0';
			down = openat(fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		} else {
			errno = ENAMETOOLONG;
		}
		const int error = errno;
		close(fd);
		errno = error;
		fd = down;
	}
	*last = p;
	return fd;
}

/* Opens the end of the route. Returns a descriptor; -1 with errno; -2: it is a link, *r moved on. */
static int
open_end(int top, struct route *r, bool *allowed)
{
	const char *last;
	const int parent = open_parent(top, r, &last);
	if (parent < 0)
		return -1;
	/* O_NONBLOCK: a FIFO must not make us wait for its writer. */
	int fd = openat(parent, last, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int error = errno;
	if (fd < 0 && error == ELOOP) {
		char target[PATH_MAX];
		const ssize_t n = readlinkat(parent, last, target, sizeof target - 1);
		if (n >= 0) {
			target[n] = '\0';
			*allowed = (size_t)n < sizeof target - 1 && follow(r, target);
			fd = -2;
		}
		error = errno;
	}
	close(parent);
	errno = error;
	return fd;
}

static int
check_regular(int fd, uint64_t *size, struct phi_err *err)
{
	struct stat st;
	if (fstat(fd, &st))
		return phi_fail_errno(err, "cannot be examined");
	if (!S_ISREG(st.st_mode))
		return phi_fail(err, PHI_FORMAT, "not a regular file");
	*size = (uint64_t)st.st_size;
	return 0;
}

static int
open_route(const struct phi_store *store, struct route *r, int *fd, uint64_t *size,
	struct phi_err *err)
{
	for (unsigned links = 0; links <= LINKS_MAX; links++) {
		bool allowed = true;
		*fd = open_end(store->fd, r, &allowed);
		if (*fd == -1)
			return phi_fail_errno(err, "cannot be opened");
		if (*fd >= 0) {
			if (!check_regular(*fd, size, err))
				return 0;
			close(*fd);
			return -1;
		}
		if (!allowed)
			return phi_fail(err, PHI_FORMAT, "a link that leads out of the folder");
	}
	return phi_fail(err, PHI_FORMAT, "a chain of more than %d links", LINKS_MAX);
}

int
phi_folder_open(const struct phi_store *store, const char *name, int *fd, uint64_t *size,
	struct phi_err *err)
{
	struct phi_quoted q;
	struct route r = { .size = 0 };
	if (!phi_store_name_safe(name) || !walk(&r, name))
		return phi_fail(err, PHI_FORMAT, "%s: not a name of a file in this folder",
			phi_quote(&q, name));
	if (open_route(store, &r, fd, size, err))
		return phi_context(err, "%s", phi_quote(&q, name));
	return 0;
}

/* Whatever has a name is listed: a config.json that is a folder, or a link to nothing, is an error when
 * it is opened, not a model without config.json. */
static bool
listed(const struct dirent *e)
{
	return strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
}

static int
read_names(struct phi_store *store, DIR *dir, struct phi_err *err)
{
	const char **names = NULL;
	size_t count = 0, capacity = 0;
	int status = 0;
	errno = 0;
	for (const struct dirent *e; !status && (e = readdir(dir)); errno = 0) {
		if (!listed(e))
			continue;
		if (count == PHI_MEMBERS_MAX)
			status = phi_fail(err, PHI_LIMIT, "has more than %d files, the limit",
				PHI_MEMBERS_MAX);
		else if (phi_grow(&names, &capacity, count, sizeof *names, err) ||
			 !(names[count] = phi_arena_strdup(store->arena, e->d_name, err)))
			status = -1;
		else
			count++;
	}
	if (!status && errno)
		status = phi_fail_errno(err, "cannot be listed");
	if (!status) {
		store->names = phi_arena_calloc(store->arena, count, sizeof *names, err);
		status = store->names ? 0 : -1;
	}
	if (!status && count) {
		memcpy(store->names, names, count * sizeof *names);
		store->nnames = count;
	}
	phi_free(names);
	return status;
}

int
phi_folder_list(struct phi_store *store, struct phi_err *err)
{
	const int fd = openat(store->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *const dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct phi_quoted q;
	if (!dir) {
		phi_fail_errno(err, "%s: cannot be listed", phi_quote(&q, store->path));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	const int status = read_names(store, dir, err);
	closedir(dir);
	if (status)
		return phi_context(err, "%s", phi_quote(&q, store->path));
	phi_store_sort(store->names, store->nnames);
	return 0;
}
