/* The stream: what one tool pipes to the next. A tar of a checkpoint folder, its members in this order:
 *
 *   model.json         what no side file can say; model_text.h
 *   config.json, ...   the side files, verbatim
 *   model.safetensors  header, then the weights; types the container does not know as U8 rows
 *   model.xxh3         the digests of all that came before, one a line; digests.h
 *
 * Regular files only, mode 0644, mtime, uid and gid 0. What follows model.xxh3 may be missing. With -z
 * the tar is inside zstd frames with checksums. The man page phi-stream(5) describes all of it.
 *
 * This header holds what the reader and the writer must agree on. */
#ifndef PHI_STREAM_STREAM_H
#define PHI_STREAM_STREAM_H

#include "formats/core/format.h"
#include "formats/core/st_header.h"

#include <xxhash.h>

#define PHI_STREAM_MODEL   "model.json"
#define PHI_STREAM_WEIGHTS "model.safetensors"
#define PHI_STREAM_DIGESTS "model.xxh3"

enum {
	PHI_STREAM_SIDES_MAX = 1024, /* side files */
	PHI_STREAM_NAME_MAX = 100,   /* bytes of a side file's name: what a plain tar header holds */
	PHI_STREAM_BLOCK = 256 << 10,  /* bytes moved at a time */
};

/* Can a side file of this name travel? Plain ASCII, no slash, none of the stream's own names. */
bool phi_stream_side_fits(const char *name);

/* A name as JSON and lines of text hold it: itself, or "hex:" and its bytes in the arena. NULL when out
 * of memory. */
const char *phi_stream_name(const char *name, struct phi_arena *arena, struct phi_err *err);
/* Back again: the name itself in the arena; NULL if it is empty, no hexadecimal, or holds a NUL. */
const char *phi_stream_unname(const char *text, size_t size, struct phi_arena *arena,
	struct phi_err *err);

/* The digits / 2 bytes that hexadecimal digits stand for; -1 if they are none. */
int phi_stream_unhex(const char *hex, size_t digits, char *out);

/* A tensor's entry in the header of model.safetensors, its name spelled as above. Types the container does
 * not know become U8, the last dimension the bytes of a row. Fails for sizes that do not fit. */
int phi_stream_entry(const struct phi_tensor *tensor, struct phi_arena *arena,
	struct phi_st_entry *entry, struct phi_err *err);

/* What complete() leaves for the sink, in the plan's arena. The items are: model.json, the sides, the
 * header of model.safetensors, its tensors, model.xxh3. */
struct phi_stream_plan {
	const bool *known; /* of each metadata item: config.json says it already */
	const char **lines; /* of each item but the last: its name in model.xxh3 */
	uint64_t weights_size; /* of model.safetensors */
	size_t first_tensor;   /* index of the first tensor's item */
};

/* Of a stream read from a file: where model.safetensors begins in it, once that was read through (0
 * before, and if it is compressed), and its data so many bytes further on. */
struct phi_stream_place {
	struct phi_member *member;
	uint64_t weights, start;
};
struct phi_stream_place phi_stream_place(const struct phi_source *source);
/* layout.c: the source's op. */
int phi_stream_layout(struct phi_source *source, const struct phi_regions *regions,
	struct phi_err *err);

extern const struct phi_sink_ops phi_stream_sink;
struct phi_source *phi_stream_open(struct phi_store *store, const struct phi_open_options *options,
	struct phi_err *err);

#endif
