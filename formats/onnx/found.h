/* What the scanner notes of a tensor, field by field, and the form a field must have. Private to the
 * scanner. */
#ifndef PHI_ONNX_FOUND_H
#define PHI_ONNX_FOUND_H

#include "formats/onnx/scan.h"

#include <protobuf-c/protobuf-c.h>

/* Is the field of the form that onnx.proto says, and text without a NUL? `message` names what it is in. */
int phi_onnx_field_check(struct phi_wire_file *file, const char *message, const ProtobufCFieldDescriptor *field,
	const struct phi_wire_place *p, struct phi_err *err);

/* A field of a TensorProto. 1: one of those that go with the numbers; 0: another; -1. */
int phi_onnx_found_field(struct phi_wire_file *file, struct phi_onnx_found *found,
	const struct phi_wire_place *p, struct phi_err *err);

#endif
