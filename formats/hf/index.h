/* The index of a sharded checkpoint: which tensor is in which file.
 *
 *     {"metadata": {"total_size": 16060522496},
 *      "weight_map": {"lm_head.weight": "model-00002-of-00002.safetensors", ...}}
 *
 * Names in it are checked against the shards in both directions by whoever reads them (read.c). */
#ifndef PHI_HF_INDEX_H
#define PHI_HF_INDEX_H

#include "formats/core/arena.h"
#include "formats/core/names.h"

#include <stdbool.h>
#include <stdint.h>

struct phi_hf_entry {
	const char *tensor;
	uint32_t file; /* index into files */
	bool seen; /* found in its file */
};

struct phi_hf_index {
	struct phi_names *names; /* of tensors -> index into entries */
	struct phi_hf_entry *entries;
	size_t count, capacity;
	const char **files; /* sorted bytewise */
	size_t nfiles, files_capacity;
	bool has_total; /* metadata.total_size is an integer: */
	uint64_t total; /* bytes of all tensors */
};

/* Parses into a zeroed index; strings go to the arena. Duplicate tensors, file names that are not
 * plain (slashes, "..", an index) are refused. Free it also after a failure. */
int phi_hf_index_parse(struct phi_hf_index *index, struct phi_arena *arena, const char *text,
	size_t size, struct phi_err *err);
void phi_hf_index_free(struct phi_hf_index *index);

#endif
