/* Reading the folder that ONNX Runtime GenAI loads (genai.h), made here or by the runtime's own builder: it is described
 * as the checkpoint it was made of. The decoder is opened as any ONNX model; of its initializers
 *
 *   - weights get their canonical names (genai_names.c), and the shape [out, in] of a checkpoint: matrices of floats,
 *     which MatMul wants as [in, out], are seen with rows and columns exchanged
 *   - what the checkpoint has whole and the graph in parts, or the other way round, is composed (composed.h)
 *   - constants and rope caches are no weights: they go
 *
 * and config.json is the folder's, or is made of genai_config.json and the graph (genai_hparams.c). */
#ifndef PHI_ONNX_GENAI_READ_H
#define PHI_ONNX_GENAI_READ_H

#include "formats/models/family.h"
#include "formats/onnx/composed.h"
#include "formats/onnx/read.h"

#include <jansson.h>

#define PHI_GENAI_CONFIG "genai_config.json"

struct phi_genai {
	struct phi_onnx_composition composition; /* below: the decoder */
	struct phi_names *weights; /* while it is opened: canonical name -> found */
	struct phi_genai_found {
		const char *canonical;
		const struct phi_family_tensor *entry;
		struct phi_tensor tensor; /* of the decoder, exchanged if it is stored so */
	} *found;
	size_t nfound, capacity;
};

struct phi_source *phi_onnx_genai_open(struct phi_store *store, const struct phi_open_options *options,
	struct phi_err *err);

/* genai_names.c. Finds the weights among the decoder's tensors; the family is known. */
int phi_genai_find(struct phi_genai *genai, struct phi_model *model, struct phi_err *err);
/* genai_settle.c. Makes the checkpoint's tensors of them. */
int phi_genai_settle(struct phi_genai *genai, struct phi_model *model, struct phi_err *err);

/* genai_hparams.c. Without a config.json: the family that genai_config.json names; and, the weights being found, makes
 * config.json, and generation_config.json if there is none. */
int phi_genai_family(struct phi_model *model, const json_t *config, struct phi_err *err);
int phi_genai_config(struct phi_genai *genai, struct phi_model *model, const json_t *config, struct phi_err *err);

/* The decoder's graph, and its tensors by name. */
static inline const PhiOnnx__Graph *
phi_genai_graph(const struct phi_genai *genai)
{
	return ((const struct phi_onnx *)genai->composition.below->state)->graph.model->graph;
}

#endif
