/* A source: an opened model file, described. */
#ifndef PHI_CORE_SOURCE_H
#define PHI_CORE_SOURCE_H

#include "formats/core/finding.h"
#include "formats/core/model.h"
#include "formats/core/store.h"

struct phi_source;

/* A node of a graph, for --graph; lent for the call. */
struct phi_node_view {
	const char *graph; /* what leads to the graph it is in; "": the main one */
	const char *name, *op, *domain;
	const char *const *inputs, *const *outputs; /* "": one that is left out */
	size_t ninputs, noutputs;
};

struct phi_nodes {
	int (*emit)(void *ctx, const struct phi_node_view *node, struct phi_err *err);
	void *ctx;
};

struct phi_source_ops {
	/* Reads bytes [offset, offset + n) of a storage, exactly. From any thread when random. On a
	 * sequential source the pairs (storage, offset) never decrease: storages arrive in the order
	 * of their index, what is skipped is gone. */
	int (*read)(struct phi_source *source, uint32_t storage, uint64_t offset, void *dst, size_t n,
		struct phi_err *err);
	/* Sequential sources: reads on to the end and checks it (digests, trailing bytes). May be NULL:
	 * phi_source_finish then only reads the last storage to its end. */
	int (*finish)(struct phi_source *source, struct phi_err *err);
	/* --check: what its format or its runtime would refuse in a file that could be described, and what
	 * describing let pass; may read weights. Random sources only. May be NULL. */
	int (*check)(struct phi_source *source, const struct phi_findings *findings,
		struct phi_err *err);
	/* --layout: every byte of the files, in order. Random sources only. May be NULL. */
	int (*layout)(struct phi_source *source, const struct phi_regions *regions,
		struct phi_err *err);
	/* --graph: the nodes, in their order; those of a graph within a node follow that node. Random sources
	 * only. NULL: there is no graph. */
	int (*graph)(struct phi_source *source, const struct phi_nodes *nodes, struct phi_err *err);
	/* Sequential sources: becomes random without a spool, if what it reads from is a file; the end is
	 * checked on the way. Returns 1; 0 if it cannot; -1. May be NULL. */
	int (*settle)(struct phi_source *source, struct phi_err *err);
	/* Frees state; the source itself, its model and its store are freed by phi_source_close. */
	void (*close)(struct phi_source *source);
};

/* Formats fill this in open(); everyone else goes through the functions below. */
struct phi_source {
	const struct phi_source_ops *ops;
	void *state;
	struct phi_model *model;
	const char *format; /* of what was opened, set by the registry; a stream's model says what it was */
	bool sequential;
	struct phi_store *store; /* of a tar: its entries; closed with the source */
	struct phi_store *outer; /* what was opened: the registry's; closed last */
	struct phi_spool *spool; /* after phi_source_settle */
	uint64_t *spool_offset;	 /* of each storage in the spool */
};

/* Zeroed, with a new model, and state of that size, zeroed too, for close() to free; 0: none. */
struct phi_source *phi_source_new(const char *format, const struct phi_source_ops *ops, size_t state_size,
	struct phi_err *err);
void phi_source_close(struct phi_source *source);

int phi_source_read(struct phi_source *source, uint32_t storage, uint64_t offset, void *dst,
	size_t n, struct phi_err *err);
/* To be called once after the last read of a job: a sequential source is read to its end and its end
 * is checked. Nothing to do for a random one. */
int phi_source_finish(struct phi_source *source, struct phi_err *err);
/* Makes a sequential source random: by its own settle, else by spooling all its storages (spool.h);
 * finish is done on the way. Only before anything was read. */
int phi_source_settle(struct phi_source *source, const struct phi_spool_options *options,
	struct phi_err *err);

/* Puts where it happened before an error on its way up: the path of what was opened, and the file in it
 * that the storage lies in, where that is another one (PHI_NONE: no storage). Returns -1. */
int phi_source_blame(const struct phi_source *source, uint32_t storage, struct phi_err *err);

/* Elements [first, first + n) of a tensor in row-major order, in its own type, little-endian, dense:
 * the one way weights are read. Gathers strided views; `first` and n are multiples of the block.
 * `transpose`: as if the two dimensions were exchanged (rank 2). Tensors of one plane, or of one for each
 * field of their blocks. */
int phi_tensor_read(struct phi_source *source, const struct phi_tensor *tensor, bool transpose,
	uint64_t first, uint64_t n, void *dst, struct phi_err *err);
/* Have two tensors the same type, shape and bytes? 1, 0 or -1. Random sources; a chunk of each is held. */
int phi_tensor_equal(struct phi_source *a, const struct phi_tensor *x, struct phi_source *b,
	const struct phi_tensor *y, struct phi_err *err);
/* The same of a packed tensor, as F32. The source is random; it is best asked for many whole rows. */
int phi_tensor_unpack(struct phi_source *source, const struct phi_tensor *tensor, phi_unpack_fn *unpack,
	uint64_t first, uint64_t n, float *dst, struct phi_err *err);
/* Either of the two; what comes is of the type phi_type_read says. `unpack` may be NULL: packed tensors
 * are then refused. */
int phi_tensor_load(struct phi_source *source, const struct phi_tensor *tensor, phi_unpack_fn *unpack,
	bool transpose, uint64_t first, uint64_t n, void *dst, struct phi_err *err);

#endif
