/* Tensors that are made of rows of others, none of which is copied: a source over another one. Its storages are
 * the other's, under the same numbers, and behind them composed ones, each a list of runs that are repeated together:
 *
 *     storage s:   run 0, run 1, ... of repetition 0, then those of repetition 1, ...
 *                  run i of repetition r is `size` bytes of a storage below, at `offset` + r * `pitch`
 *
 * Matrices below each other are one repetition of a run each. Matrices that are stored with rows and columns exchanged
 * are a run of each for every one of their columns, so that the result is stored exchanged, too. */
#ifndef PHI_ONNX_COMPOSED_H
#define PHI_ONNX_COMPOSED_H

#include "formats/core/source.h"

enum { PHI_ONNX_RUNS_MAX = 3 };

struct phi_onnx_run {
	uint32_t storage; /* of the source below */
	uint64_t offset, size, pitch;
};

struct phi_onnx_composed {
	uint64_t row; /* bytes of a repetition */
	unsigned nruns;
	struct phi_onnx_run runs[PHI_ONNX_RUNS_MAX];
};

/* What the source over another one has as its state, or at the start of it. */
struct phi_onnx_composition {
	struct phi_source *below; /* whoever fills this in closes it */
	struct phi_onnx_composed *storages;
	size_t count, capacity;
};

/* Some rows of a tensor of the source below. */
struct phi_onnx_piece {
	const struct phi_tensor *tensor;
	uint64_t row, rows;
};

/* Appends the storages of the source below to those of the model: first of all. */
int phi_onnx_compose_begin(struct phi_onnx_composition *c, struct phi_model *model, struct phi_err *err);
/* Makes the tensor of these rows, one piece after the other; all have one type and row, and all are stored exchanged or
 * none is. Name and what else a tensor is are those of the first. -1: they do not fit together. */
int phi_onnx_compose(struct phi_onnx_composition *c, struct phi_model *model, const struct phi_onnx_piece *pieces,
	unsigned n, struct phi_tensor *out, struct phi_err *err);
/* The matrix with rows and columns exchanged, as a view of the same bytes. 1: it cannot be had so; -1. */
int phi_onnx_exchange(struct phi_arena *arena, struct phi_tensor *t, struct phi_err *err);
/* Reads a storage of the model. */
int phi_onnx_compose_read(const struct phi_onnx_composition *c, uint32_t storage, uint64_t offset, void *dst,
	size_t n, struct phi_err *err);
/* Frees the list. */
void phi_onnx_compose_end(struct phi_onnx_composition *c);

#endif
