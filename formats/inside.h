/* Private to formats/: what sources over other sources share. */
#ifndef PHI_FORMATS_INSIDE_H
#define PHI_FORMATS_INSIDE_H

#include "formats/core/format.h"

/* The format with the highest bid, or NULL. */
const struct phi_format *phi_format_best(const struct phi_probe *probe);
/* Is it a tar, of whoever? */
bool phi_format_is_tar(const struct phi_probe *probe);

/* The last step of describing: name, checks, aliases, family. */
int phi_settle_description(struct phi_source *source, const struct phi_open_options *options,
	struct phi_err *err);
/* Appends keys and side files that `into` lacks, and all storages. Strings are lent. */
int phi_model_append_lists(
	struct phi_model *into, const struct phi_model *from, struct phi_err *err);
/* Appends a tensor whose storages have become those from `base` on. */
int phi_model_append_tensor(struct phi_model *into, const struct phi_tensor *tensor, uint32_t base,
	struct phi_err *err);

#endif
