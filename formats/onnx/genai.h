/* The folder that ONNX Runtime GenAI loads:
 *
 *     model.onnx, model.onnx.data      the decoder
 *     tokenizer.json, ...              the checkpoint's side files, as they are
 *     genai_config.json                what the decoder is like, and how it is sampled
 *
 * Facts: facts/onnx.md 4 and 5, of onnxruntime-genai 0.18. */
#ifndef PHI_ONNX_GENAI_H
#define PHI_ONNX_GENAI_H

#include "formats/core/buffer.h"
#include "formats/core/format.h"
#include "formats/core/json.h"
#include "formats/models/family.h"

/* lower_decoder.c: the weights of the decoder, by the runtime's names, each as the checkpoint has it, or rows of it.
 * Norms and biases have the type of what flows; the rest is for the recipe. */
struct phi_model *phi_onnx_decoder_lower(const struct phi_model *model, const struct phi_lower_options *options,
	struct phi_err *err);
/* build_decoder.c: the weights' file, the graph, and all the rest. */
int phi_onnx_decoder_complete(struct phi_plan *plan, struct phi_err *err);

/* genai_tokens.c: a side file, or NULL without one. What is no JSON is as good as none; being out of memory is not. */
int phi_onnx_genai_side(const struct phi_model *model, const char *name, json_t **root, struct phi_err *err);
/* Appends the members with ids of tokens; `generation`: generation_config.json's tree, or NULL. */
int phi_onnx_genai_tokens(struct phi_buffer *out, const struct phi_model *model, const json_t *generation,
	struct phi_err *err);

/* Adds the side files and genai_config.json; `places`: the decoder has position_ids as an input. */
int phi_onnx_genai_complete(struct phi_plan *plan, const struct phi_hparams *h, enum phi_device device, bool places,
	struct phi_err *err);

#endif
