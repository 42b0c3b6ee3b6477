/* The ranges of what a graph computes, as somebody measured them on inputs that are like those to come: a JSON file
 *
 *     {"TENSOR": [least, greatest], ...}
 *
 * names as the graph has them, finite numbers, the least first. */
#ifndef PHI_CORE_RANGES_H
#define PHI_CORE_RANGES_H

#include "formats/core/error.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	PHI_RANGES_FILE_MAX = 64 << 20, /* bytes; a graph of 100,000 values takes 10 MB */
	PHI_RANGES_MAX = 1 << 20,	/* tensors */
};

struct phi_ranges;

struct phi_ranges *phi_ranges_open(const char *path, struct phi_err *err);
struct phi_ranges *phi_ranges_parse(const char *text, size_t size, struct phi_err *err);
void phi_ranges_close(struct phi_ranges *ranges);

/* False: nobody measured it. */
bool phi_ranges_find(const struct phi_ranges *ranges, const char *tensor, float *low, float *high);

#endif
