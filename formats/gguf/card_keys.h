/* What a model card says about the model, under the names gguf-py's metadata.py looks for: its own, those
 * with "model_" before them, the hub's. */
#ifndef PHI_GGUF_CARD_KEYS_H
#define PHI_GGUF_CARD_KEYS_H

#include "formats/gguf/card.h"

/* In the order in which they are written. */
enum phi_card_text {
	PHI_CARD_NAME,
	PHI_CARD_AUTHOR,
	PHI_CARD_VERSION,
	PHI_CARD_ORGANIZATION,
	PHI_CARD_FINETUNE,
	PHI_CARD_BASENAME,
	PHI_CARD_DESCRIPTION,
	PHI_CARD_SIZE_LABEL,
	PHI_CARD_LICENSE,
	PHI_CARD_LICENSE_NAME,
	PHI_CARD_LICENSE_LINK,
	PHI_CARD_SOURCE_URL,
	PHI_CARD_SOURCE_DOI,
	PHI_CARD_SOURCE_UUID,
	PHI_CARD_SOURCE_REPO_URL,
	PHI_CARD_TEXTS,
};

/* Where the lowered model's card is read from and written to. */
struct phi_card_reading {
	const struct phi_card *card; /* NULL: none, and nothing is done */
	struct phi_model *lowered;
	uint64_t elements; /* of all tensors, for the names of others */
	size_t taken;	   /* bytes of text so far */
};

/* Texts in the lowered model's arena. NULL: not said, and other sources may say it. What is there and no
 * text becomes the empty one, with a warning. */
int phi_card_texts(struct phi_card_reading *reading, const char *texts[PHI_CARD_TEXTS],
	struct phi_err *err);
/* Appends general.base_model.*, general.dataset.*, general.tags, general.languages. */
int phi_card_lists(struct phi_card_reading *reading, struct phi_err *err);

#endif
