/* Opening what the user names; the rest is handed on by kind. */
#include "formats/core/store_inside.h"

#include "formats/core/escape.h"
#include "formats/core/memory.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct phi_store *
new_store(const char *path, struct phi_err *err)
{
	struct phi_store *const store = phi_calloc(1, sizeof *store, err);
	if (!store)
		return NULL;
	store->fd = -1;
	store->arena = phi_arena_new(err);
	if (store->arena)
		store->path = phi_arena_strdup(store->arena, path, err);
	if (!store->path) {
		phi_store_close(store);
		return NULL;
	}
	return store;
}

void
phi_store_close(struct phi_store *store)
{
	if (!store)
		return;
	phi_member_close(store->outer);
	phi_pipe_free(store->pipe);
	if (store->fd > STDIN_FILENO)
		close(store->fd);
	phi_arena_free(store->arena);
	phi_free(store);
}

static const char *
last_component(const char *path)
{
	const char *const slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* Bytes of the name before its suffix: a dot, a letter, then letters and digits ("Phi-3.5" has none). */
static size_t
stem_size(const char *name)
{
	const char *const dot = strrchr(name, '.');
	if (!dot || dot == name || !isalpha((unsigned char)dot[1]))
		return strlen(name);
	for (const char *p = dot + 1; *p; p++)
		if (!isalnum((unsigned char)*p))
			return strlen(name);
	return (size_t)(dot - name);
}

static int
name_file(struct phi_store *store, const char *name, struct phi_err *err)
{
	store->name = phi_arena_strdup(store->arena, name, err);
	store->base = phi_arena_copy(store->arena, name, stem_size(name), err);
	return store->name && store->base ? 0 : -1;
}

static int
name_folder(struct phi_store *store, struct phi_err *err)
{
	char *const real = realpath(store->path, NULL);
	if (!real)
		return phi_fail_errno(err, "cannot find its real name");
	const char *const last = last_component(real);
	store->base = phi_arena_strdup(store->arena, *last ? last : "model", err);
	free(real);
	return store->base ? 0 : -1;
}

static int
name_pipe(struct phi_store *store, struct phi_err *err)
{
	store->name = phi_arena_strdup(store->arena, "-", err);
	store->base = phi_arena_strdup(store->arena, "model", err);
	return store->name && store->base ? 0 : -1;
}

static int
open_pipe(struct phi_store *store, const struct phi_spool_options *spool, struct phi_err *err)
{
	if (isatty(store->fd))
		return phi_fail(err, PHI_ARGUMENT, "is a terminal; name a file or pipe a model in");
	store->kind = PHI_STORE_PIPE;
	store->pipe = phi_pipe_new(store->fd, spool, err);
	return store->pipe ? name_pipe(store, err) : -1;
}

/* stdin may stand further on in its file: what came before was another reader's. */
static int
find_range(struct phi_store *store, uint64_t size, struct phi_err *err)
{
	const off_t at = store->fd == STDIN_FILENO ? lseek(store->fd, 0, SEEK_CUR) : 0;
	if (at < 0)
		return phi_fail_errno(err, "cannot find the place in it");
	store->start = (uint64_t)at < size ? (uint64_t)at : size;
	store->size = size - store->start;
	return 0;
}

/* Decides the kind by what the open descriptor is. */
static int
examine(struct phi_store *store, const struct phi_spool_options *spool, struct phi_err *err)
{
	struct stat st;
	if (fstat(store->fd, &st))
		return phi_fail_errno(err, "cannot be examined");
	const bool from_stdin = store->fd == STDIN_FILENO;
	if (S_ISREG(st.st_mode)) {
		store->kind = PHI_STORE_FILE;
		if (find_range(store, (uint64_t)st.st_size, err))
			return -1;
		return from_stdin ? name_pipe(store, err) :
			name_file(store, last_component(store->path), err);
	}
	if (!S_ISDIR(st.st_mode))
		return open_pipe(store, spool, err);
	if (from_stdin)
		return phi_fail(err, PHI_ARGUMENT, "is a folder; give its name instead");
	store->kind = PHI_STORE_FOLDER;
	return name_folder(store, err);
}

struct phi_store *
phi_store_open(const char *path, const struct phi_spool_options *spool, struct phi_err *err)
{
	const bool from_stdin = !path || !strcmp(path, "-");
	struct phi_store *const store = new_store(from_stdin ? "stdin" : path, err);
	if (!store)
		return NULL;
	struct phi_quoted q;
	store->fd = from_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (store->fd < 0)
		phi_fail_errno(err, "%s", phi_quote(&q, path));
	else if (!examine(store, spool, err))
		return store;
	else
		phi_context(err, "%s", phi_quote(&q, store->path));
	phi_store_close(store);
	return NULL;
}

struct phi_store *
phi_store_tar(struct phi_member *member, struct phi_err *err)
{
	struct phi_store *const store = new_store(member->name, err);
	if (!store) {
		phi_member_close(member);
		return NULL;
	}
	store->kind = PHI_STORE_TAR;
	store->outer = member;
	if (phi_member_spool(member, err) || name_file(store, member->name, err) ||
		phi_tar_index(store, err)) {
		phi_store_close(store);
		return NULL;
	}
	if (!strcmp(store->base, "-"))
		store->base = "model";
	return store;
}

struct phi_store *
phi_store_single(struct phi_store *outer, const char *name, struct phi_err *err)
{
	struct phi_store *const store = new_store(name, err);
	if (!store)
		return NULL;
	store->kind = PHI_STORE_FILE;
	store->outer = phi_store_member(outer, name, err);
	if (!store->outer || name_file(store, last_component(name), err)) {
		phi_store_close(store);
		return NULL;
	}
	store->size = phi_member_size(store->outer);
	store->around = outer;
	return store;
}

struct phi_store *
phi_store_beside(struct phi_store *store, bool *own, struct phi_err *err)
{
	*own = false;
	if (store->around)
		return store->around;
	if (store->kind != PHI_STORE_FILE || store->fd == STDIN_FILENO) {
		phi_fail(err, PHI_UNSUPPORTED, "it refers to files beside it, but comes from no folder");
		return NULL;
	}
	char *const folder = phi_arena_strdup(store->arena, store->path, err);
	if (!folder)
		return NULL;
	char *const slash = strrchr(folder, '/');
	if (slash)
		slash[slash == folder] = '\0';
	*own = true;
	return phi_store_open(slash ? folder : ".", NULL, err);
}

enum phi_store_kind
phi_store_kind(const struct phi_store *store)
{
	return store->kind;
}

const char *
phi_store_path(const struct phi_store *store)
{
	return store->path;
}

const char *
phi_store_base(const struct phi_store *store)
{
	return store->base;
}

static int
compare_names(const void *a, const void *b)
{
	const char *x, *y;
	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return strcmp(x, y);
}

void
phi_store_sort(const char **names, size_t count)
{
	if (count)
		qsort(names, count, sizeof *names, compare_names);
}

int
phi_store_list(struct phi_store *store, const char *const **names, size_t *count,
	struct phi_err *err)
{
	if (store->kind == PHI_STORE_FOLDER) {
		if (!store->names && phi_folder_list(store, err))
			return -1;
	} else if (store->kind != PHI_STORE_TAR) {
		*names = &store->name;
		*count = 1;
		return 0;
	}
	*names = store->names;
	*count = store->nnames;
	return 0;
}

/* The place of a name in the sorted list, or count. */
static size_t
find_name(const char *const *names, size_t count, const char *name)
{
	size_t low = 0, high = count;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const int order = strcmp(names[middle], name);
		if (!order)
			return middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return count;
}

bool
phi_store_has(struct phi_store *store, const char *name)
{
	const char *const *names;
	size_t count;
	if (phi_store_list(store, &names, &count, NULL))
		return false;
	if (find_name(names, count, name) < count)
		return true;
	if (store->kind != PHI_STORE_FOLDER || !strchr(name, '/'))
		return false;
	struct phi_member *const member = phi_store_member(store, name, NULL);
	phi_member_close(member);
	return member;
}

bool
phi_store_name_safe(const char *name)
{
	for (const char *p = name;;) {
		const size_t n = strcspn(p, "/");
		if (!n || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		if (!p[n])
			return true;
		p += n + 1;
	}
}

static bool
same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       (S_ISREG(a->st_mode) || S_ISDIR(a->st_mode));
}

bool
phi_store_holds(struct phi_store *store, const struct stat *st)
{
	struct stat own;
	if (store->outer)
		return store->outer->fd >= 0 && !fstat(store->outer->fd, &own) && same(&own, st);
	if (!fstat(store->fd, &own) && same(&own, st))
		return true;
	const char *const *names;
	size_t count;
	if (store->kind != PHI_STORE_FOLDER || phi_store_list(store, &names, &count, NULL))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!fstatat(store->fd, names[i], &own, 0) && same(&own, st))
			return true;
	return false;
}

/* The only member of a file, a pipe or a single member. */
static struct phi_member *
only_member(struct phi_store *store, struct phi_err *err)
{
	if (store->outer)
		return phi_member_window(store->outer, store->name, 0, store->size, err);
	struct phi_member *const m = phi_member_new(store->name, err);
	if (!m)
		return NULL;
	m->pipe = store->pipe;
	m->fd = store->fd;
	m->start = store->start;
	m->size = store->size;
	return m;
}

static struct phi_member *
folder_member(struct phi_store *store, const char *name, struct phi_err *err)
{
	struct phi_member *const m = phi_member_new(name, err);
	if (!m)
		return NULL;
	if (phi_folder_open(store, name, &m->fd, &m->size, err)) {
		phi_member_close(m);
		return NULL;
	}
	m->owns_fd = true;
	return m;
}

static struct phi_member *
tar_member(struct phi_store *store, const char *name, struct phi_err *err)
{
	const size_t i = find_name(store->names, store->nnames, name);
	struct phi_quoted q;
	if (i == store->nnames) {
		phi_fail(err, PHI_FORMAT, "%s: not in the tar", phi_quote(&q, name));
		return NULL;
	}
	const struct phi_tar_entry *const e = &store->entries[i];
	return phi_member_window(store->outer, name, e->offset, e->size, err);
}

struct phi_member *
phi_store_member(struct phi_store *store, const char *name, struct phi_err *err)
{
	struct phi_quoted q;
	switch (store->kind) {
	case PHI_STORE_FOLDER:
	case PHI_STORE_TAR:
		if (name)
			return store->kind == PHI_STORE_TAR ? tar_member(store, name, err) :
				folder_member(store, name, err);
		phi_fail(err, PHI_ARGUMENT, "%s: which member?", phi_quote(&q, store->path));
		return NULL;
	case PHI_STORE_FILE:
	case PHI_STORE_PIPE:
		if (!name || !strcmp(name, store->name))
			return only_member(store, err);
		break;
	}
	phi_fail(err, PHI_FORMAT, "%s: no such member", phi_quote(&q, name));
	return NULL;
}
