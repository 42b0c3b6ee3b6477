/* A store: a set of named byte members. One file, a folder, a tar, a pipe. All opening of inputs
 * lives here, once: path safety, spooling, fault hooks. Outputs are in output.h.
 *
 *   kind     members                            access
 *   file     one, named by its last component   random
 *   pipe     one, named "-"                     sequential, until spooled
 *   folder   its regular files, by name         random
 *   tar      the entries of a tar member        random (uncompressed; see phi_store_tar)
 *
 * Safety: members are opened with openat beneath the folder; names with a leading slash, "..", a NUL
 * or an empty component are refused; the member itself must be a regular file (fstat), opened
 * O_NONBLOCK so that a FIFO cannot hang. A link is followed only where a Hugging Face cache needs it:
 * a link in a folder whose target is a regular file beneath the folder, or beneath ../../blobs.
 * What a user names on the command line may be any readable file, folder or pipe.
 */
#ifndef PHI_CORE_STORE_H
#define PHI_CORE_STORE_H

#include "formats/core/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum phi_store_kind { PHI_STORE_FILE, PHI_STORE_FOLDER, PHI_STORE_TAR, PHI_STORE_PIPE };

struct phi_store;
struct phi_member;

/* Where and whether to spool; see spool.h. Lent by the caller for the store's life. */
struct phi_spool_options {
	bool refuse;	   /* --no-spool */
	const char *beside; /* folder of the output, used when $TMPDIR is not set; or NULL */
};

/* path NULL or "-" is stdin: a pipe, or a file when stdin is a regular file. */
struct phi_store *phi_store_open(const char *path, const struct phi_spool_options *spool,
	struct phi_err *err);
void phi_store_close(struct phi_store *store);

enum phi_store_kind phi_store_kind(const struct phi_store *store);
/* For messages: the path as given, or "stdin". */
const char *phi_store_path(const struct phi_store *store);
/* The model's base name: of a folder the last part of its real path; of a file the last part of the
 * path as given (a cache's links lead to names that are digests) without its suffix, which is a dot, a
 * letter, then letters and digits; "model" for stdin. */
const char *phi_store_base(const struct phi_store *store);

/* Names of the members, sorted bytewise; of a folder all its entries: whether one is a regular file is
 * seen when it is opened. Lent until the store closes. */
int phi_store_list(struct phi_store *store, const char *const **names, size_t *count,
	struct phi_err *err);
bool phi_store_has(struct phi_store *store, const char *name);

/* Opens a member. name NULL: the only member of a file or a pipe. A member is closed with
 * phi_member_close, before its store. The state of a pipe (what was peeked, where it stands, its spool)
 * is the store's: opening, peeking or spooling, closing and opening again loses nothing. */
struct phi_member *phi_store_member(struct phi_store *store, const char *name,
	struct phi_err *err);
void phi_member_close(struct phi_member *member);

/* For messages and --json: "model.gguf". Lent until the member closes. */
const char *phi_member_name(const struct phi_member *member);
/* Is it a pipe that has not been spooled? Then offsets given to phi_member_read must not decrease,
 * and the size is not known. */
bool phi_member_sequential(const struct phi_member *member);
/* Bytes in all; UINT64_MAX while sequential. */
uint64_t phi_member_size(const struct phi_member *member);

/* Reads exactly n bytes at offset, from any thread when random. Less is PHI_TRUNCATED, naming the
 * offset. On a sequential member, bytes up to `offset` are skipped and gone; the first
 * PHI_PEEK_MAX bytes may be read any number of times. Neither reading nor the errors below name the
 * member: who reads knows what it is to them. */
int phi_member_read(struct phi_member *member, uint64_t offset, void *dst, size_t n,
	struct phi_err *err);
/* Reads at most n bytes at the next place and says how many (0: the end). For libarchive, zstd and
 * scanning to the end; works on both kinds, moving `*offset` on. */
int phi_member_read_some(struct phi_member *member, uint64_t *offset, void *dst, size_t n,
	size_t *got, struct phi_err *err);
/* The first PHI_PEEK_MAX bytes, or fewer if the member is shorter: *n says how many. Consumes
 * nothing; lent until the member closes. */
enum { PHI_PEEK_MAX = 64 << 10 };
int phi_member_peek(struct phi_member *member, const uint8_t **head, size_t *n,
	struct phi_err *err);

/* Makes a sequential member random: all its bytes, from the start, go to an unlinked file (spool.h).
 * Only before anything beyond the peeked head was read. No effect on a random member. */
int phi_member_spool(struct phi_member *member, struct phi_err *err);
/* A window of a random member as a member of its own (a tar entry, a zip entry). The outer one must
 * outlive it. name is copied. */
struct phi_member *phi_member_window(struct phi_member *outer, const char *name, uint64_t offset,
	uint64_t size, struct phi_err *err);

/* Reads a whole member of at most `limit` bytes into fresh memory (phi_free), with a NUL after it. */
int phi_member_load(struct phi_member *member, uint64_t limit, void **data, size_t *size,
	struct phi_err *err);

/* phi_store_open never looks inside a file: the registry (formats.c) sees that a file is a tar and asks
 * for the store of its entries, windows of `member` (random). Takes the member, also on failure. */
struct phi_store *phi_store_tar(struct phi_member *member, struct phi_err *err);
/* One member of a folder or tar as a store of kind FILE, so that a folder's format can have a shard
 * opened as a model of its own. `store` must outlive it. Path and base are those of the member. */
struct phi_store *phi_store_single(struct phi_store *store, const char *name, struct phi_err *err);
/* The folder that a file lies in, as a store, for files that refer to others beside them: of a single member
 * that of its folder or tar, lent and to be left open; else opened anew: *own says that it is the caller's to
 * close. NULL: there is none (standard input). */
struct phi_store *phi_store_beside(struct phi_store *store, bool *own, struct phi_err *err);

#endif
