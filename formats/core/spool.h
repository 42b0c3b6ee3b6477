/* The spool: an unlinked file that holds what came out of a pipe, in $TMPDIR if set, else beside the
 * output, else in /var/tmp. Written once in order, then read at any place from any thread. */
#ifndef PHI_CORE_SPOOL_H
#define PHI_CORE_SPOOL_H

#include "formats/core/store.h"

struct phi_spool;

/* Refuses, naming --no-spool, when the options say so. */
struct phi_spool *phi_spool_new(const struct phi_spool_options *options, struct phi_err *err);
void phi_spool_free(struct phi_spool *spool);
int phi_spool_write(struct phi_spool *spool, const void *src, size_t n, struct phi_err *err);
int phi_spool_read(struct phi_spool *spool, uint64_t offset, void *dst, size_t n,
	struct phi_err *err);
uint64_t phi_spool_size(const struct phi_spool *spool);

#endif
