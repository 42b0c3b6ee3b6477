/* torch's number types: as storage classes ("torch FloatStorage") and as dtypes ("torch float32").
 */
#ifndef PHI_PYTORCH_DTYPE_H
#define PHI_PYTORCH_DTYPE_H

#include "formats/core/type.h"
#include "formats/pytorch/pickle.h"

struct phi_torch_dtype {
	const char *name; /* "float32" */
	const char *alias; /* "float", or NULL */
	const char *storage; /* "FloatStorage", or NULL: only in an UntypedStorage */
	unsigned bytes; /* of an element, as strides and offsets count them */
	enum phi_type_id id; /* of a quantized type: of its integers, several of which may share one */
	unsigned bits; /* of a quantized type: of one of its integers; else 0 */
};

/* Of a global that is a storage class of any module (torch, torch.cuda, torch.storage); NULL if it
 * is none. An UntypedStorage is one of bytes. */
const struct phi_torch_dtype *phi_torch_storage_class(const struct phi_pickle *global);
/* Of a global that is a dtype; NULL if it is none. */
const struct phi_torch_dtype *phi_torch_dtype(const struct phi_pickle *global);
/* That of a type, or NULL: torch has none. */
const struct phi_torch_dtype *phi_torch_dtype_of(const struct phi_type *type);

#endif
