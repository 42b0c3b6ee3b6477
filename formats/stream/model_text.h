/* model.json, the first member of a stream.
 *
 *     {
 *     "schema": 1,
 *     "view": "gguf",                 whose names and metadata these are: "canonical" or a target's
 *     "name": "Phi-4-mini",           base name
 *     "format": "hf",                 what the weights came from first
 *     "recipe": "q8_0",               what chose the types, or null
 *     "tensors": {
 *     "output_norm.weight": {"type": "F32", "shape": [3072], "canonical": "model.norm.weight"},
 *     "output.weight": {"type": "Q8_0", "shape": [200064, 3072], "alias": "token_embd.weight"}
 *     },
 *     "metadata": {
 *     "general.architecture": ["string", "phi3"],
 *     "phi3.rope.dimension_count": ["u32", 96],
 *     "tokenizer.ggml.tokens": ["string[]", ["!", "\"", {"hex": "ff"}]]
 *     }
 *     }
 *
 * The fields come in this order, tensors and metadata in the model's. "canonical" is left out where it
 * says nothing new; "file", in the canonical view only, is the file the tensor came from first, left
 * out if all came from one safetensors file (a converter goes shard by shard, and through a pickle in
 * its own order); a tensor with "alias" has the bytes of that earlier tensor and none of its own. The
 * kinds of metadata are those of value.h, arrays of them with "[]". Names that a line of text cannot
 * hold are "hex:" and their bytes; a string that is no UTF-8 is {"hex": its bytes}. Floats are short
 * decimals that read back as the same bits; what JSON or its readers have no number for (infinities,
 * NaN, integers from 2^63) is {"bits": "7fc00000"}. In the canonical view, what config.json says is not
 * repeated.
 */
#ifndef PHI_STREAM_MODEL_TEXT_H
#define PHI_STREAM_MODEL_TEXT_H

#include "formats/core/model.h"

/* Takes the text piece by piece. */
struct phi_stream_taker {
	int (*take)(void *ctx, const void *bytes, size_t n, struct phi_err *err);
	void *ctx;
};

/* Writes model.json without the metadata marked as known. The same text each time. */
int phi_stream_model_write(const struct phi_model *model, const bool *known,
	const struct phi_stream_taker *taker, struct phi_err *err);
/* How many bytes that will be. */
int phi_stream_model_size(const struct phi_model *model, const bool *known, uint64_t *size,
	struct phi_err *err);

/* Same kind, same bits? */
bool phi_stream_value_equal(const struct phi_value *a, const struct phi_value *b);

/* Parses it: view, name, format, recipe and tensors go to the model, metadata to `metadata`, all of it
 * in the model's arena. Tensors get their alias index; planes are the caller's. */
int phi_stream_model_parse(struct phi_model *model, struct phi_metadata *metadata, const char *text,
	size_t size, struct phi_err *err);

#endif
