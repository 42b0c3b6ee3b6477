/* Importance: how much each column of each matrix matters to the model, as llama-imatrix measures it: the
 * mean of the squares of what the column was multiplied with. Quantizing then errs where it matters least.
 *
 * Read from either kind of imatrix file, which are described alike: a GGUF (general.type "imatrix"), or the
 * older .dat (formats/imatrix/imatrix.h). Of each matrix NAME they have two tensors:
 *
 *     NAME.in_sum2   F32 [experts, columns], or any shape of as many numbers
 *     NAME.counts    F32 [experts, 1]: tokens that reached the expert; or one I32 for all (.dat)
 *
 * and the importance is the quotient, as llama-quantize computes it: float divided by float. An expert that
 * no token reached has 1 everywhere; where an I32 count is 0, the sums are taken as they are.
 *
 * Numbers are not held: all are looked at once, then each row is read and divided when it is asked for. So memory
 * does not grow with the model (of one with 256 experts they are 700 MB). */
#ifndef PHI_QUANT_IMPORTANCE_H
#define PHI_QUANT_IMPORTANCE_H

#include "formats/core/columns.h"
#include "formats/core/source.h"

/* One matrix, or a stack of experts. */
struct phi_importance_of {
	const char *name;    /* of the tensor, in the target's spelling or Hugging Face's */
	struct phi_columns numbers; /* an expert's columns one after the other */
	uint64_t size;		    /* how many */
	uint64_t experts, unseen;   /* unseen: reached by no token */
	/* What the numbers are read from. */
	struct phi_source *source;
	const struct phi_tensor *sums, *counts;
};

struct phi_importance_list;

/* Looks through all of an opened imatrix; the source is random, and lent for the list's life. */
struct phi_importance_list *phi_importance_read(struct phi_source *source, struct phi_err *err);
void phi_importance_free(struct phi_importance_list *list);
/* Frees it and closes its source. */
void phi_importance_close(struct phi_importance_list *list);

size_t phi_importance_count(const struct phi_importance_list *list);
const struct phi_importance_of *phi_importance_at(const struct phi_importance_list *list, size_t i);
/* By name, or NULL. */
const struct phi_importance_of *phi_importance_find(const struct phi_importance_list *list,
	const char *name);
/* The first of the data sets it was measured with, or NULL; the number of chunks, 0: not said. */
const char *phi_importance_dataset(const struct phi_importance_list *list);
uint64_t phi_importance_chunks(const struct phi_importance_list *list);

#endif
