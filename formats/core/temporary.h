/* Temporary names that vanish on a signal. Every temporary of every output stands in one table of fixed
 * size, so that a signal handler can remove them all: it neither allocates nor takes a lock. */
#ifndef PHI_CORE_TEMPORARY_H
#define PHI_CORE_TEMPORARY_H

#include "formats/core/error.h"

#include <stdbool.h>

enum { PHI_TEMPORARIES_MAX = 4096 }; /* files of a sharded output */

/* Makes ".NAME.phi-XXXXXX" in a folder: a file (its descriptor in *fd, read and write) or a folder (*fd
 * likewise). Returns its number for the calls below, or -1. `folder` must stay open until it is removed
 * or released. */
int phi_temporary_file(int folder, const char *name, int *fd, struct phi_err *err);
int phi_temporary_folder(int folder, const char *name, int *fd, struct phi_err *err);
/* A file of exactly this name in a folder that is itself temporary. */
int phi_temporary_inside(int folder, const char *name, int *fd, struct phi_err *err);

const char *phi_temporary_name(int number);
/* Unlinks it and forgets it; no complaint if it is gone. */
void phi_temporary_remove(int number);
/* Forgets it: it has got its final name. */
void phi_temporary_release(int number);

#endif
