/* The numbers of a TensorProto: where and how they are stored, read piece by piece.
 *
 *   raw_data, external   little-endian, dense; below a byte the elements of the flattened tensor follow each
 *                        other from the lowest bits up
 *   float_data           F32, C64               fixed width: as raw when it is one packed field
 *   double_data          F64, C128
 *   int32_data           I32, 16 and 8 bits; 2 and 4 bits: one number has the bits of a byte; 6 bits: one has one
 *   int64_data           I64                    varints, 1 to 10 bytes a number
 *   uint64_data          U32, U64
 *
 * Varints have no place that follows from their index. They are counted once; every PHI_ONNX_STEP-th place is
 * kept, and reading begins at the one before. */
#ifndef PHI_ONNX_DATA_H
#define PHI_ONNX_DATA_H

#include "formats/core/type.h"
#include "formats/onnx/scan.h"

enum { PHI_ONNX_STEP = 4096 };

struct phi_onnx_data {
	uint64_t offset, size; /* as they are; or of coded ones: bytes when decoded */
	bool coded;
	unsigned field, width;	  /* of coded ones: TensorProto's field; bytes that a number becomes */
	unsigned joined;	  /* so many numbers, of 6 bits, become `width` bytes; else 1 */
	unsigned fixed;		  /* bytes of a number in the file, or 0: varints */
	uint64_t begin, end;	  /* the fields, in the file */
	struct phi_onnx_mark {
		uint64_t at, packed; /* a number; the end of the packed field it is in, or 0 */
	} *marks;		  /* of every STEP-th number; in the arena */
	size_t nmarks;
};

/* ONNX's name of a TensorProto.DataType in the spelling of its enum, "FLOAT"; NULL: none. */
const char *phi_onnx_type_name(int32_t data_type);
/* NULL for text, and what is not known. */
const struct phi_type *phi_onnx_type(int32_t data_type);
/* The number of DataType, or 0: ONNX has no such type. */
int32_t phi_onnx_type_number(const struct phi_type *type);
/* Bytes of a tensor: below a byte an element, the last byte may be in part empty. False: more than 64 bits count. */
bool phi_onnx_bytes(const struct phi_type *type, const uint64_t *dims, unsigned rank, uint64_t *bytes);

/* Where the numbers of a tensor in this file are; `bytes`: what its shape and type say they are when decoded. Of
 * an external one only `size` is set. Fails if they are not there in one way, all of them. */
int phi_onnx_data_find(struct phi_onnx_data *data, struct phi_wire_file *file, const struct phi_onnx_found *found,
	uint64_t bytes, struct phi_arena *arena, struct phi_err *err);
/* Decoded bytes [offset, offset + n); from any thread. */
int phi_onnx_data_read(const struct phi_onnx_data *data, struct phi_member *member, uint64_t offset, void *dst,
	size_t n, struct phi_err *err);

#endif
