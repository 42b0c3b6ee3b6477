/* Reading ONNX: the graph in memory (graph.h), the weights where they are, in the file itself or in files
 * beside it.
 *
 * External data: `location` is a name beneath the model's folder, opened as all members of a folder are (store.h:
 * no climbing, no absolute names, no links that lead out but those of a Hugging Face cache, regular files
 * only). `length`, where it is said, is what shape and type say; the range lies within the file. Two tensors of
 * the same range share it (tied weights); ranges that overlap otherwise are refused. */
#ifndef PHI_ONNX_READ_H
#define PHI_ONNX_READ_H

#include "formats/core/buffer.h"
#include "formats/core/format.h"
#include "formats/onnx/data.h"
#include "formats/onnx/graph.h"

enum { PHI_ONNX_FILES_MAX = 1 << 16 }; /* files with external data: one a tensor is the habit of some */

struct phi_onnx_external {
	const char *name; /* its location; in the arena */
	struct phi_member *member;
};

struct phi_onnx {
	struct phi_member *member;
	struct phi_store *folder; /* where external data are, or NULL */
	bool owns_folder;
	struct phi_onnx_external *files;
	size_t nfiles, files_capacity;
	struct phi_onnx_graph graph;
	struct phi_buffer bytes; /* the graph's */
	/* Of each weight, as the graph numbers them. */
	struct phi_onnx_weight_data {
		struct phi_onnx_data data;
		uint32_t file; /* PHI_NONE: the model's own */
		int32_t data_type;
		unsigned rank;
		uint64_t shape[PHI_RANK_MAX];
		uint32_t storage; /* of the model */
	} *data;
	size_t ndata, data_capacity;
};

struct phi_source *phi_onnx_open(struct phi_store *store, const struct phi_open_options *options,
	struct phi_err *err);

/* keys.c: what a model says of itself, as metadata: onnx.ir_version, onnx.opset.DOMAIN, onnx.input.NAME ... */
int phi_onnx_keys(struct phi_model *model, const PhiOnnx__Model *proto, struct phi_err *err);
/* "FLOAT [batch, 3, 224, 224]": a tensor's type as it is declared. */
int phi_onnx_spell_type(const PhiOnnx__Type *type, struct phi_buffer *out, struct phi_err *err);

/* check.c, layout.c, nodes.c: the source's ops; scan_model.c: the format's. */
int phi_onnx_check(struct phi_source *source, const struct phi_findings *findings, struct phi_err *err);
int phi_onnx_nodes(struct phi_source *source, const struct phi_nodes *nodes, struct phi_err *err);
int phi_onnx_scan_store(struct phi_store *store, const struct phi_findings *findings, struct phi_err *err);
int phi_onnx_layout(struct phi_source *source, const struct phi_regions *regions, struct phi_err *err);

#endif
