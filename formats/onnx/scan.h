/* The scanner: walks a ModelProto in a file, field by field, descends into the messages that onnx.proto
 * knows and finds its tensors. Their numbers are not read: it says where they are. So a model of any size
 * is looked through with a few KiB of memory, and what is left without the numbers is small:
 *
 *     file    key len graph( node node init( dims name raw_data(1 GiB) ) init( ... ) output )
 *     graph   key len graph( node node init( dims name weight(0)       ) init( ... ) output )
 *
 * Everything but the numbers, the references to external files and the lengths around them stays as it was,
 * byte for byte: fields nobody knows, their order, and numbers spelt in an unusual way. The same scanner puts
 * data into a graph (write.c): there the field `weight` is what is replaced.
 *
 * What no reader should take is refused here, before protobuf-c sees it: groups, messages in messages beyond a
 * fixed depth, a field that is there twice but counts once, a field of another form than the format says, a
 * name with a NUL in it. */
#ifndef PHI_ONNX_SCAN_H
#define PHI_ONNX_SCAN_H

#include "formats/core/arena.h"
#include "formats/core/buffer.h"
#include "formats/core/limits.h"
#include "formats/core/wire_file.h"

enum {
	PHI_ONNX_DEPTH_MAX = 100,	  /* messages in messages; protobuf's own limit */
	PHI_ONNX_MESSAGES_MAX = 2 << 20,  /* of known kinds: each takes up to 250 bytes of memory */
	PHI_ONNX_FIELDS_MAX = 8 << 20,	  /* apart from numbers of tensors, which may be fields each */
	PHI_ONNX_UNKNOWN_MAX = 1 << 16,	  /* fields that onnx.proto does not have: they take 80 bytes each */
	PHI_ONNX_GRAPH_MAX = PHI_SIDE_MAX, /* bytes of a model without its weights */
	PHI_ONNX_LOCATION_MAX = 1024,	  /* bytes of an external file's name */
};

/* Where in the model a tensor stands. */
enum phi_onnx_place {
	PHI_ONNX_INITIALIZER, /* of the graph or of one within a node */
	PHI_ONNX_SPARSE,      /* values or indices of a sparse initializer */
	PHI_ONNX_ATTRIBUTE,   /* of a node: the value of a Constant */
	PHI_ONNX_ELSEWHERE,
};

/* A TensorProto. */
struct phi_onnx_found {
	enum phi_onnx_place place;
	uint64_t at, end; /* of its content in the file */
	char name[256];	  /* cut if longer; for messages */
	unsigned rank;
	uint64_t dims[PHI_RANK_MAX];
	int32_t data_type;
	bool raw;
	uint64_t raw_at, raw_size;
	/* Numbers of a typed field: its number, 0 if there is none; where such fields begin and end. */
	unsigned typed;
	uint64_t typed_at, typed_end;
	unsigned typed_fields; /* how many there are: more than one if they are not packed */
	uint64_t packed_at;    /* of a single packed field: its content, up to typed_end; else 0 */
	bool external;	       /* data_location says so */
	char location[PHI_ONNX_LOCATION_MAX + 1];
	bool has_location, has_offset, has_length, odd_key;
	uint64_t offset, length;
	bool strings, segment;
	bool marked; /* the field `weight` is there */
	uint64_t weight;
};

/* What goes in the place of a tensor's numbers. */
struct phi_onnx_change {
	const void *bytes; /* lent until the edits are used up */
	size_t size;
	uint32_t weight; /* whose data follow, or PHI_NONE */
	uint64_t data;	 /* how many bytes of them */
};

/* One place of the file where something else is to stand, in rising order of `at`. */
struct phi_onnx_edit {
	uint64_t at, removed;
	size_t order; /* in which it was made */
	struct phi_onnx_change change;
	uint8_t length[10]; /* the bytes, where they are a length */
};

struct phi_onnx_edits {
	struct phi_onnx_edit *items;
	size_t count, capacity;
	uint64_t size; /* of the file after all edits */
};

/* Called for each tensor, at its end. Returns 1: its numbers go and *change takes their place; 0: it stays as
 * it is; -1. NULL: all stay. */
typedef int phi_onnx_tensor_fn(void *ctx, const struct phi_onnx_found *found, struct phi_onnx_change *change,
	struct phi_err *err);

/* `edits` is the caller's to free, also after a failure. */
int phi_onnx_scan(struct phi_wire_file *file, phi_onnx_tensor_fn *tensor, void *ctx,
	struct phi_onnx_edits *edits, struct phi_err *err);
void phi_onnx_edits_free(struct phi_onnx_edits *edits);

/* The file after edits without data. */
int phi_onnx_edited(struct phi_wire_file *file, const struct phi_onnx_edits *edits, struct phi_buffer *out,
	struct phi_err *err);

#endif
