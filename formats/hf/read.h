/* Reading a checkpoint folder, or a tar of one: a source made of the sources of its weight files.
 */
#ifndef PHI_HF_READ_H
#define PHI_HF_READ_H

#include "formats/core/format.h"

/* config.json becomes metadata, the known side files travel along, the tensors are those of the
 * weight files in the order of the files' names, each in its own order. A store that is one index
 * file opens the folder it lies in. Weight files are opened through options->registry. */
struct phi_source *phi_hf_open(
	struct phi_store *store, const struct phi_open_options *options, struct phi_err *err);

struct phi_hf_child {
	struct phi_source *source;
	uint32_t base; /* its storage 0 among ours */
};

struct phi_hf {
	struct phi_store *folder; /* opened by us for a lone index, or NULL */
	struct phi_hf_child *children; /* one a weight file */
	size_t nchildren, capacity;
	struct phi_names *said; /* keys of the files' own metadata */
	const char *index; /* its file, or NULL; in the model's arena */
	uint64_t index_size;
	bool has_total; /* what the index says of bytes: */
	uint64_t total;
};

/* check.c: the source's ops. */
int phi_hf_check(
	struct phi_source *source, const struct phi_findings *findings, struct phi_err *err);
int phi_hf_layout(
	struct phi_source *source, const struct phi_regions *regions, struct phi_err *err);

#endif
