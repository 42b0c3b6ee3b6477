/* The digests of a stream: XXH3-128 of every member and, within model.safetensors, of the header and
 * every tensor. One a line, as xxhsum(1) prints them:
 *
 *     06b05ab6733a618578af5f94892f3950  model.json
 *     99aa06d3014798d86001c324468d497f  config.json
 *     d89acd3e1abf9f4e5e4d9f3d5e2ee8b1  model.safetensors#
 *     4ac98b1bd7c0f0f2bd3c2d1b9b9be0a4  model.safetensors#model.embed_tokens.weight
 *
 * The part after '#' names a range of the member; "" is its header. In the order of the bytes. */
#ifndef PHI_STREAM_DIGESTS_H
#define PHI_STREAM_DIGESTS_H

#include "formats/core/error.h"

#include <stddef.h>
#include <xxhash.h>

struct phi_buffer;

struct phi_digest {
	const char *name; /* lent */
	XXH128_hash_t hash;
};

struct phi_digests {
	struct phi_digest *items;
	size_t count, capacity;
};

int phi_digests_add(struct phi_digests *list, const char *name, XXH128_hash_t hash,
	struct phi_err *err);
void phi_digests_free(struct phi_digests *list);

/* Bytes of a name's line. */
size_t phi_digest_line_size(const char *name);
int phi_digest_line(struct phi_buffer *out, const struct phi_digest *digest, struct phi_err *err);

/* Compares the text of model.xxh3 with what was read. The first line that differs is named: a digest
 * that is wrong, missing, or too much. */
int phi_digests_check(const struct phi_digests *list, const char *text, size_t size,
	struct phi_err *err);

#endif
