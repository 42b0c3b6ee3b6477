/* A model: what a source describes and what a target asks for. It holds no weights, only
 * parameters (values that shape other outputs), metadata, side files and the list of tensors.
 * Everything in it lives in its arena.
 *
 * Packed checkpoints (packed.h): a format describes the tensors of the file, members as any other. The
 * registry then puts logical tensors in their place, unless phi_open_options.members says that they are
 * only to be copied: into a target that holds any tensor (PHI_FORMAT_MEMBERS) with nothing converted. */
#ifndef PHI_CORE_MODEL_H
#define PHI_CORE_MODEL_H

#include "formats/core/arena.h"
#include "formats/core/names.h"
#include "formats/core/tensor.h"
#include "formats/core/value.h"

/* A small file that travels with the weights: config.json, tokenizer.json, ... verbatim. */
struct phi_side {
	const char *name; /* relative, no slashes */
	const void *data;
	size_t size;
};

struct phi_family; /* formats/models/family.h */

struct phi_model {
	struct phi_arena *arena;
	const char *format; /* the format's name: "gguf" */
	/* Whose names and metadata these are: "canonical" (Hugging Face), or a target's name ("gguf").
	 * A stream says which view it carries. */
	const char *view;
	const char *name;   /* base name: the folder's, or the file's without its suffix */
	const char *recipe; /* what chose the types, or NULL */
	const struct phi_family *family; /* or NULL: names and tensors stay as they are */
	struct phi_metadata metadata;
	struct phi_side *sides;
	size_t nsides, sides_capacity;
	struct phi_storage *storages;
	size_t nstorages, storages_capacity;
	struct phi_tensor *tensors;
	size_t ntensors, tensors_capacity;
	/* Things to tell the user once: one line each (what the target has no place for). */
	const char **warnings;
	size_t nwarnings, warnings_capacity;
	/* Of a described model with a graph: which tensors its operators take as one packed weight. In the arena. */
	const struct phi_packing *packings;
	size_t npackings;
	const struct phi_model *origin; /* of a lowered model: what its parts refer to; lent */
};

struct phi_model *phi_model_new(const char *format, struct phi_err *err);
void phi_model_free(struct phi_model *model);

/* Appends a zeroed element (layer -1, alias PHI_NONE) and returns it; the pointer is valid until the
 * next call. The index is the count before. */
struct phi_tensor *phi_model_add_tensor(struct phi_model *model, struct phi_err *err);
struct phi_storage *phi_model_add_storage(struct phi_model *model, struct phi_err *err);
/* Appends copies of all of `from`'s storages; strings are lent. */
int phi_model_append_storages(struct phi_model *into, const struct phi_model *from, struct phi_err *err);
/* The file a tensor came from first: the shard's name, or NULL. Of a lowered model: that of its first
 * part. */
const char *phi_model_file(const struct phi_model *model, const struct phi_tensor *tensor);
/* Copies name and data into the arena. */
int phi_model_add_side(struct phi_model *model, const char *name, const void *data, size_t size,
	struct phi_err *err);
const struct phi_side *phi_model_side(const struct phi_model *model, const char *name);
int phi_model_warn(struct phi_model *model, struct phi_err *err, const char *fmt, ...)
	PHI_PRINTF(3, 4);

/* Finds tensors with the same storage, offset, type, shape and strides and sets `alias`. */
int phi_model_find_aliases(struct phi_model *model, struct phi_err *err);

/* Checks what every description must satisfy, so that no reader has to: names neither empty,
 * too long nor double, sizes that fit, rows that are multiples of the block, planes inside their
 * storages. Called by the registry after describe; formats check what is theirs. */
int phi_model_check(const struct phi_model *model, struct phi_err *err);
/* The first tensor of this role, or NULL. */
const struct phi_tensor *phi_model_with_role(const struct phi_model *model, enum phi_role role);

/* A model of the same tensors, each one part: the whole tensor of `origin`; metadata, sides, name,
 * family and view shared with it. The start of every lowering. Only the outer arrays are copied:
 * strings still live in the origin, which must outlive the result. */
struct phi_model *phi_model_lower_same(const struct phi_model *origin, struct phi_err *err);

/* Keeps the tensors whose name or canonical name matches `only` (all if NULL) and not `exclude`. */
void phi_model_pick(struct phi_model *model, const char *const *only, size_t nonly,
	const char *const *exclude, size_t nexclude);

#endif
