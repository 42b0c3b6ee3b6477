/* What the files that make up the store share: store.c, store_folder.c, store_tar.c, member.c, pipe.c.
 * Nobody else includes it. */
#ifndef PHI_CORE_STORE_INSIDE_H
#define PHI_CORE_STORE_INSIDE_H

#include "formats/core/arena.h"
#include "formats/core/names.h"
#include "formats/core/spool.h"
#include "formats/core/store.h"

/* A pipe, shared by all members opened of its store. */
struct phi_pipe {
	int fd; /* lent */
	const struct phi_spool_options *options;
	uint8_t *head; /* the first bytes: kept for good, so that they can be read again */
	size_t head_size;
	bool peeked;
	uint64_t at; /* bytes taken from fd so far, the head included */
	struct phi_spool *spool; /* once spooled */
};

struct phi_pipe *phi_pipe_new(int fd, const struct phi_spool_options *options, struct phi_err *err);
void phi_pipe_free(struct phi_pipe *pipe);
int phi_pipe_peek(struct phi_pipe *pipe, struct phi_err *err);
int phi_pipe_read(struct phi_pipe *pipe, uint64_t offset, void *dst, size_t n, struct phi_err *err);
int phi_pipe_read_some(struct phi_pipe *pipe, uint64_t *offset, void *dst, size_t n, size_t *got,
	struct phi_err *err);
int phi_pipe_spool(struct phi_pipe *pipe, struct phi_err *err);

/* Where the bytes of an entry of a tar lie. */
struct phi_tar_entry {
	const char *name;
	uint64_t offset, size;
};

struct phi_store {
	enum phi_store_kind kind;
	struct phi_arena *arena; /* of all strings and lists below */
	const char *path, *base;
	const char *name; /* of the only member of a file or pipe */
	int fd;		  /* of a file, folder or pipe; -1: none; 0: stdin, never closed */
	uint64_t start, size; /* of a file: where it begins (stdin may stand further on), its bytes */
	struct phi_pipe *pipe;
	struct phi_member *outer; /* of a tar or a single member: owned */
	struct phi_store *around; /* of a single member: what it is a member of; lent */
	const char **names;	  /* of a folder or tar: sorted; NULL until listed */
	size_t nnames;
	struct phi_tar_entry *entries; /* of a tar, in the order of names */
};

/* A member is one of three: a range of a file of its own (fd), a window of another member (outer),
 * a pipe. */
struct phi_member {
	char *name;
	int fd;
	bool owns_fd;
	struct phi_member *outer;
	struct phi_pipe *pipe;
	uint64_t start, size;
	uint8_t *head; /* peeked */
	size_t head_size;
};

/* A member without bytes yet; name is copied. */
struct phi_member *phi_member_new(const char *name, struct phi_err *err);

/* A relative name that stays beneath: components, no "..", none empty. */
bool phi_store_name_safe(const char *name);

/* Opens a regular file beneath the folder for reading: its descriptor and size. */
int phi_folder_open(const struct phi_store *store, const char *name, int *fd, uint64_t *size,
	struct phi_err *err);
int phi_folder_list(struct phi_store *store, struct phi_err *err);

/* Indexes the tar: names, entries, and the name of the folder that all of them lay in, as base. */
int phi_tar_index(struct phi_store *store, struct phi_err *err);

/* Is this what the store was opened from, or one of its members? */
struct stat;
bool phi_store_holds(struct phi_store *store, const struct stat *st);

/* Sorts names bytewise. */
void phi_store_sort(const char **names, size_t count);

#endif
