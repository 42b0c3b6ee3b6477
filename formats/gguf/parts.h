/* The files of an opened GGUF: one, or the parts of a split one. */
#ifndef PHI_GGUF_PARTS_H
#define PHI_GGUF_PARTS_H

#include "formats/core/source.h"

size_t phi_gguf_parts(const struct phi_source *source);
struct phi_member *phi_gguf_part(const struct phi_source *source, size_t part);

/* check.c: the source's ops. */
int phi_gguf_check(
	struct phi_source *source, const struct phi_findings *findings, struct phi_err *err);
/* layout.c */
int phi_gguf_layout(
	struct phi_source *source, const struct phi_regions *regions, struct phi_err *err);
/* check_keys.c: what the keys of the whole say that llama.cpp would refuse or ignore. */
int phi_gguf_check_keys(const struct phi_model *model, const char *file,
	const struct phi_findings *findings, struct phi_err *err);

#endif
