/* A plan: every byte of the output before the first is written. Made from a lowered model whose types
 * are chosen; completed by the sink's format, which orders the items, lays out files and makes headers,
 * or refuses with the reason and the nearest type it can hold. `-n` prints it; tests check it without
 * data. */
#ifndef PHI_CORE_PLAN_H
#define PHI_CORE_PLAN_H

#include "formats/core/convert.h"
#include "formats/core/graph_options.h"
#include "formats/core/model.h"

/* How an item is made; for people. The parts of its tensor say it exactly. */
enum phi_making {
	PHI_MAKE_COPY,	    /* one whole tensor, same type */
	PHI_MAKE_CONVERT,   /* one whole tensor, another type */
	PHI_MAKE_ROWS,	    /* some rows of one tensor */
	PHI_MAKE_CONCAT,    /* several parts */
	PHI_MAKE_TRANSPOSE, /* one transposed tensor */
	PHI_MAKE_ALIAS,	    /* no bytes of its own: those of another item */
	PHI_MAKE_LITERAL,   /* bytes known now: headers, small tensors */
	PHI_MAKE_GENERATE,  /* a function of the offset */
};
const char *phi_making_name(enum phi_making making);

struct phi_item {
	enum phi_making making;
	uint32_t tensor; /* of the plan's model; PHI_NONE for a header or a side file */
	const char *name; /* of the tensor, or "header", "config.json" ... */
	unsigned file;	 /* index into files; items of a file are in rising offset, without overlap */
	unsigned field;	 /* of the tensor's blocks, where it is torn: this item is that plane */
	bool turned, sign; /* of a field: the plane is turned; its codes have a sign (turned.h) */
	uint64_t offset; /* in the file */
	uint64_t size;	 /* bytes */
	const void *literal; /* LITERAL without a tensor: size bytes in the arena */
};

struct phi_planned_file {
	const char *name; /* NULL: the output path itself */
	uint64_t size;	  /* with padding at the end; gaps between items are zeros */
};

struct phi_format;
struct phi_registry;

/* What the user asked of the target; option structs start with their size. */
struct phi_plan_options {
	size_t size;	     /* sizeof (struct phi_plan_options) */
	uint64_t shard_size; /* bytes of tensors a file, 0: the format's default */
	uint32_t alignment;  /* 0: the format's default */
	const char *output;  /* base name for the names of files, or NULL */
	bool compress;	     /* -z */
	uint32_t shard_count; /* cut into that many files; 0: by shard_size */
	bool keep_parts; /* cut where one of the source's files ends */
	bool external; /* weights in a file of their own, where the format has one file otherwise */
	const struct phi_graph_options *graph; /* or NULL */
	bool faults;	 /* those of the target's own tools, too (phi_lower_options) */
	const struct phi_registry *registry; /* set by phi_plan_make, for folders */
};

struct phi_plan {
	struct phi_arena *arena;
	const struct phi_format *format;
	struct phi_plan_options options;
	struct phi_model *model; /* lowered, chosen; owned */
	/* Of each tensor of the model: its bytes in its type. */
	uint64_t *bytes;
	/* Of each tensor: the items of its fields, PHI_FIELDS_MAX places; NULL: it is not torn. Or NULL: none is. */
	size_t **torn;
	struct phi_planned_file *files;
	unsigned nfiles;
	struct phi_item *items; /* in the order of the files' bytes */
	size_t nitems, items_capacity;
	uint64_t memory; /* bytes the pump will hold, at most; set by phi_plan_measure */
	void *state;	 /* of the format, in the arena */
};

/* Takes the model (also on failure). Checks sizes, calls the format's complete(). */
struct phi_plan *phi_plan_new(struct phi_model *lowered, const struct phi_format *format,
	const struct phi_plan_options *options, struct phi_err *err);
void phi_plan_free(struct phi_plan *plan);

/* For complete(): appends a file, an item for a tensor at the next place, or literal bytes (lent, in
 * the plan's arena or longer). Offsets are the caller's; nothing is aligned here. */
int phi_plan_add_file(struct phi_plan *plan, const char *name, struct phi_err *err);
int phi_plan_add_tensor(struct phi_plan *plan, uint32_t tensor, unsigned file, uint64_t offset,
	struct phi_err *err);

/* An item for one field of a tensor's blocks, `name` being the plane's; all fields of the type get one, in
 * whatever files. The sink is then given planes. */
int phi_plan_add_field(struct phi_plan *plan, uint32_t tensor, unsigned field, const char *name, unsigned file,
	uint64_t offset, struct phi_err *err);

/* A tensor that the format adds to the plan's model, of so many bytes, empty but for that; those found before may have
 * moved. It gets an item as others do. */
struct phi_tensor *phi_plan_make_tensor(struct phi_plan *plan, uint64_t bytes, struct phi_err *err);

/* The same with its plane turned (turned.h). All fields of a tensor are, or none. */
int phi_plan_add_turned(struct phi_plan *plan, uint32_t tensor, unsigned field, bool sign, const char *name,
	unsigned file, uint64_t offset, struct phi_err *err);
uint64_t phi_plan_turned_bytes(const struct phi_plan *plan, uint32_t tensor, unsigned field);

/* Bytes of that plane. */
uint64_t phi_plan_field_bytes(const struct phi_plan *plan, uint32_t tensor, unsigned field);

/* The same as phi_plan_add_tensor with, instead of a tensor that is a copy, the run of a storage that it is a view of: rank 1,
 * in the tensor's type, in the plan's arena. */
int phi_plan_add_view(struct phi_plan *plan, uint32_t tensor, const struct phi_tensor *view,
	unsigned file, uint64_t offset, struct phi_err *err);
int phi_plan_add_literal(struct phi_plan *plan, const char *name, unsigned file, uint64_t offset,
	const void *bytes, uint64_t size, struct phi_err *err);
/* For complete(): refuses a tensor's type, naming the nearest one it can hold; NULL: none that could be
 * made of it. Returns -1. */
int phi_plan_refuse(const struct phi_plan *plan, uint32_t tensor, const char *nearest,
	struct phi_err *err);
/* For complete(): warns, once, of what the format has no place for: the model's side files, else its
 * metadata (`strings`: only if there is more in it than strings, which the format does hold). */
int phi_plan_warn_left_out(struct phi_plan *plan, bool strings, struct phi_err *err);

/* Are the bytes of a tensor those of an earlier one (tied weights)? */
bool phi_plan_is_repeated(const struct phi_plan *plan, uint32_t tensor);

/* The sum of the items' sizes that the pump makes (no literals). */
uint64_t phi_plan_bytes(const struct phi_plan *plan);
/* The sum of the files' sizes: what the output takes. */
uint64_t phi_plan_size(const struct phi_plan *plan);

#endif
