/* Reading a safetensors file: described from its header alone. */
#ifndef PHI_SAFETENSORS_READ_H
#define PHI_SAFETENSORS_READ_H

#include "formats/core/format.h"

/* From a file or a pipe; one storage a tensor, in the order of their data. */
struct phi_source *phi_safetensors_open(
	struct phi_store *store, const struct phi_open_options *options, struct phi_err *err);

struct phi_safetensors {
	struct phi_member *member;
	uint64_t start, end; /* of the data, in the file */
	uint64_t at; /* sequential: how far it was read */
};

/* check.c: the source's ops. */
int phi_safetensors_check(
	struct phi_source *source, const struct phi_findings *findings, struct phi_err *err);
int phi_safetensors_layout(
	struct phi_source *source, const struct phi_regions *regions, struct phi_err *err);

/* scan.c */
int phi_safetensors_scan(
	struct phi_store *store, const struct phi_findings *findings, struct phi_err *err);

#endif
