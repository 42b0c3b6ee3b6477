/* GGUF, the container of llama.cpp. Facts: llama.cpp 0c1e57098 (ggml/src/gguf.cpp) and
 * gguf-py 0.19; the specification is ggml's docs/gguf.md. Versions 1, 2 and 3 are read, 3 is
 * written.
 *
 *     "GGUF"                         the same four bytes in a big-endian file
 *     u32 version
 *     count tensors, count keys      count: u64; u32 in version 1
 *     keys x { string key; i32 kind; value }
 *     tensors x { string name; u32 rank; count ne[rank]; i32 type; u64 offset }
 *     zeros up to a multiple of general.alignment (32 if there is none)
 *     data: tensor i at its offset from here, zeros after each up to a multiple of the alignment
 *
 *     string: count length, bytes, no NUL       array: i32 kind, count, elements
 *     bool: one byte                            ne[0] is the row, the last of our shape
 *
 * All numbers are little-endian, unless the low half of the version reads as zero: then the whole
 * file, data included, is big-endian. */
#ifndef PHI_GGUF_GGUF_H
#define PHI_GGUF_GGUF_H

#include "formats/core/format.h"

enum {
	PHI_GGUF_VERSION = 3,
	PHI_GGUF_ALIGNMENT = 32, /* where the file does not say */
	PHI_GGUF_ALIGNMENT_MAX = 1 << 21, /* a huge page; files in the wild have 32 or 64 */
	PHI_GGUF_RANK_MAX = 4, /* GGML_MAX_DIMS */
	PHI_GGUF_NAME_MAX = 63, /* GGML_MAX_NAME - 1: what llama.cpp can read */
	PHI_GGUF_KEYS_MAX = 1 << 20,
	PHI_GGUF_KEY_MAX = 65535, /* bytes of a key, as the specification says */
	PHI_GGUF_ARRAY_MAX = 1 << 30, /* elements of an array, as llama.cpp */
	PHI_GGUF_HEADER_MAX = 256 << 20, /* bytes before the data; real ones: some 20 MiB */
};

extern const struct phi_format phi_format_gguf;

/* read.c */
struct phi_source *phi_gguf_open(
	struct phi_store *store, const struct phi_open_options *options, struct phi_err *err);
/* write.c */
int phi_gguf_complete(struct phi_plan *plan, struct phi_err *err);
/* scan.c */
int phi_gguf_scan(
	struct phi_store *store, const struct phi_findings *findings, struct phi_err *err);
/* patch.c */
int phi_gguf_patch(struct phi_store *store, const struct phi_edit *edits, size_t nedits,
	struct phi_patch *patch, struct phi_err *err);
/* lower.c */
struct phi_model *phi_gguf_lower(const struct phi_model *model,
	const struct phi_lower_options *options, struct phi_err *err);

/* The alignment that metadata asks for: general.alignment, or 32. Fails if it is no u32, no power
 * of two, or beyond the limit. */
int phi_gguf_alignment(
	const struct phi_metadata *metadata, uint32_t *alignment, struct phi_err *err);

#endif
