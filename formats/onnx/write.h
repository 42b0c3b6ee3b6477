/* Writing ONNX: a graph that is there (graph.h: the model's side file), with data put where its weights go.
 *
 *     one file    raw_data of each weight in its place; below 2 GiB, which is protobuf's limit; to a pipe, too
 *     external    weights of 1 KiB and more in NAME.data beside it, at multiples of 64 KiB (those below 64 KiB at
 *                 multiples of 4 KiB: Windows and POSIX can map them); tied weights are there once. What the
 *                 runtime looks at to infer shapes is small, and stays within.
 *
 * Numbers that were in typed fields become raw_data: the same numbers. All else is as it was, to the byte. */
#ifndef PHI_ONNX_WRITE_H
#define PHI_ONNX_WRITE_H

#include "formats/core/format.h"

enum {
	PHI_ONNX_FILE_MAX = INT32_MAX, /* bytes of a ModelProto */
	PHI_ONNX_EXTERNAL_MIN = 1024,  /* bytes of a weight that goes to the other file */
	PHI_ONNX_PAGE = 4096,
	PHI_ONNX_SECTION = 65536,
};

int phi_onnx_complete(struct phi_plan *plan, struct phi_err *err);
struct phi_model *phi_onnx_lower(
	const struct phi_model *model, const struct phi_lower_options *options, struct phi_err *err);

#endif
