/* The small files of a checkpoint's folder that travel with the weights, whatever the weights are in. */
#ifndef PHI_CORE_SIDES_H
#define PHI_CORE_SIDES_H

#include "formats/core/model.h"
#include "formats/core/store.h"

/* Adds those that the store has to the model's side files: configuration, tokenizer, chat template, licence. Nothing
 * that could be run (*.py). A file beyond PHI_SIDE_MAX is an error. */
int phi_model_load_sides(struct phi_model *model, struct phi_store *store, struct phi_err *err);

#endif
