/* The keys of a GGUF made from a Hugging Face folder, in the order of convert_hf_to_gguf (llama-cpp-python
 * 0.3.36): gguf-py's dictionary keeps a key where it was first set.
 *
 *   general.architecture
 *   ARCH.rope.scaling.attn_factor       with longrope: it is set while tensors are prepared
 *   general.type
 *   general.sampling.*                  generation_config.json
 *   general.name ... size_label         config.json's _name_or_path, the folder's name
 *   ARCH.*, general.file_type among them
 *   general.quantization_version
 *   tokenizer.*
 */
#ifndef PHI_GGUF_HF_KEYS_H
#define PHI_GGUF_HF_KEYS_H

#include "formats/core/format.h"
#include "formats/models/family.h"

/* What the keys are made from. */
struct phi_hf_facts {
	const struct phi_model *origin;
	const struct phi_hparams *hparams;
	const char *name;   /* of the folder, or --name */
	const char *pre;    /* --pre, or NULL */
	uint32_t file_type; /* ggml's ftype */
	uint64_t elements;  /* of all tensors of the file */
	uint64_t expert_elements; /* of those that hold experts */
};

/* Appends all of them to the lowered model's metadata, which is empty. */
int phi_hf_keys(struct phi_model *lowered, const struct phi_hf_facts *facts, struct phi_err *err);

/* general.sampling.* and general.name ... size_label; hf_general.c. */
int phi_hf_general(struct phi_model *lowered, const struct phi_hf_facts *facts,
	struct phi_err *err);
/* tokenizer.*; hf_vocabulary.c. */
int phi_hf_vocabulary(struct phi_model *lowered, const struct phi_hf_facts *facts,
	struct phi_err *err);

/* Text values: an empty one is left out, as gguf-py does. The string lives in the arena or longer. */
int phi_hf_text(struct phi_model *lowered, const char *key, struct phi_string text,
	struct phi_err *err);

#endif
