/* The format library's public face: open a source, lower it to a target, plan, list formats. */
#ifndef PHI_FORMATS_H
#define PHI_FORMATS_H

#include "formats/core/edit.h"
#include "formats/core/format.h"
#include "formats/core/patch.h"
#include "formats/core/pump.h"
#include "formats/core/reduce.h"

/* Detects by content, opens, describes, checks, and gives the family its say. path NULL or "-":
 * stdin. */
struct phi_source *phi_open(const char *path, const struct phi_open_options *options,
	struct phi_err *err);

/* Several models as one: the tensors of all, keys and side files of the first and those that only later
 * ones have. All have the same view. A tensor of two models must be the same in both. Pipes are spooled. */
struct phi_source *phi_open_joined(const char *const *paths, size_t n,
	const struct phi_open_options *options, struct phi_err *err);
/* A model with a low-rank adapter worked in (lora.c): a PEFT folder or a GGUF. scale NaN: alpha / rank,
 * as the adapter says. Takes the base, also on failure; a pipe is spooled. */
struct phi_source *phi_open_adapted(struct phi_source *base, const char *path, double scale,
	const struct phi_converters *converters, const struct phi_open_options *options,
	struct phi_err *err);

/* The ONNX model at `path` with other weights: its graph, and its tensors, but those that `weights` has under the same
 * name (its own or the canonical one), which are converted to the types of the graph, and transposed where the graph
 * multiplies by columns. What either has alone is a warning, no name in common a failure. Takes the weights, also on
 * failure; a pipe is spooled. */
struct phi_source *phi_open_template(struct phi_source *weights, const char *path,
	const struct phi_open_options *options, struct phi_err *err);

/* --check of an opened model but for its family and its numbers: what its format says of the file
 * (source.h), and of members that do not make a packed weight. Random sources only. */
int phi_check_format(struct phi_source *source, const struct phi_findings *findings,
	struct phi_err *err);
/* A head that config.json ties to the embedding, and that is there all the same: is it the embedding? Fails if not. A
 * pipe is spooled if there is such a head; two chunks are held. */
int phi_check_tied(struct phi_source *source, const struct phi_spool_options *spool, struct phi_err *err);
/* Makes a GGUF of a known family what it was made of: canonical names and parts, config.json and the tokenizer's files
 * as side files, out of its keys and rope factors, and each tensor's native type. Files that --keep-all kept
 * (core/kept.h), or that came along, are taken as they are; what had to be made up is named in one warning. A pipe is
 * spooled. Nothing happens to other models. pre: in place of the pre-tokenizer's name that the file has, or NULL. */
int phi_source_canonical(struct phi_source *source, const char *pre, const struct phi_spool_options *spool,
	struct phi_err *err);
/* The tokenizer: of a GGUF, is it that of the files beside it (kind, pre-tokenizer, tokens, merges, special ids, chat
 * template), if there is a tokenizer.json or tokenizer.model in its folder? Of a folder of a known family: do its files
 * make a vocabulary that fits the embedding? */
int phi_check_tokenizer(struct phi_source *source, const struct phi_findings *findings, struct phi_err *err);
/* --scan: what in a store would harm who loads it (pytorch/scan.h). Of a folder all files are examined, and
 * those of the folders in it; a finding names its file. Whatever cannot be opened or examined is a
 * finding; a failure is one of ours. The store is spooled if it is a pipe. */
int phi_scan_store(struct phi_store *store, const struct phi_findings *findings, struct phi_err *err);

/* What edits would make of the start of a file whose data stays where it is (patch.h); `patch` is
 * the caller's to free, also after a failure. */
int phi_edit_in_place(const char *path, const struct phi_edit *edits, size_t nedits,
	struct phi_patch *patch, struct phi_err *err);

/* All formats, NULL-ended, in the order of formats.def. */
extern const struct phi_format *const phi_formats[];
/* By name, or NULL. */
const struct phi_format *phi_format_named(const char *name);
/* What such a name means where the output is a folder, as phi_format_suffix sees it: a format of its own, or the
 * one of that name. */
const struct phi_format *phi_format_in_folder(const char *name);
/* By the suffix of an output path; a path ending in a slash, or an existing folder, is "hf". NULL if
 * none fits. */
const struct phi_format *phi_format_suffix(const char *path);

/* Lowers to a target: its lower(), or the same names. */
struct phi_model *phi_lower(const struct phi_model *model, const struct phi_format *target,
	const struct phi_lower_options *options, struct phi_err *err);

/* phi_plan_new for a format whose files other formats lay out too. */
struct phi_plan *phi_plan_make(struct phi_model *lowered, const struct phi_format *format,
	const struct phi_plan_options *options, struct phi_err *err);

#endif
