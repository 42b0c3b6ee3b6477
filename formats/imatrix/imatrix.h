/* Importance, as llama-imatrix wrote it before it wrote GGUF: how much each column of each matrix matters.
 * Facts: common/imatrix-loader.cpp of llama.cpp 0c1e57098. No magic, little-endian:
 *
 *     i32 entries                                       1 or more
 *     entries x {
 *         i32 size; name[size]                          "blk.0.attn_q.weight", no NUL
 *         i32 calls
 *         i32 values; f32 value[values]                 mean of the squares x calls; experts one after
 *     }                                                 the other
 *     i32 chunks; i32 size; dataset[size]               may be missing, from any field on
 *
 * It is described as the GGUF kind spells the same thing (general.type "imatrix"): for each matrix the
 * tensor NAME.in_sum2, sums of squares, and NAME.counts, what they are to be divided by; here one I32 for
 * the whole matrix, there an F32 for each expert. quant/importance.h reads both. */
#ifndef PHI_IMATRIX_IMATRIX_H
#define PHI_IMATRIX_IMATRIX_H

#include "formats/core/format.h"

enum {
	PHI_IMATRIX_ENTRIES_MAX = 1 << 19, /* two tensors each: half of PHI_TENSORS_MAX */
	PHI_IMATRIX_DATASET_MAX = 1 << 20, /* bytes of the dataset's name, which is a path */
};

extern const struct phi_format phi_format_imatrix;

/* read.c */
struct phi_source *phi_imatrix_open(
	struct phi_store *store, const struct phi_open_options *options, struct phi_err *err);
/* layout.c */
int phi_imatrix_layout(
	struct phi_source *source, const struct phi_regions *regions, struct phi_err *err);

#endif
