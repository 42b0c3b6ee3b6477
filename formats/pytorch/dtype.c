#include "formats/pytorch/dtype.h"

#include <string.h>

/* One line a type; the spelling used since torch 1.0 and the short one. Source: torch/storage.py,
 * torch's dtype list; facts/pytorch_tf.md 1.4. */
static const struct phi_torch_dtype dtypes[] = {
	{ "float32", "float", "FloatStorage", 4, PHI_F32, 0 },
	{ "float16", "half", "HalfStorage", 2, PHI_F16, 0 },
	{ "bfloat16", NULL, "BFloat16Storage", 2, PHI_BF16, 0 },
	{ "float64", "double", "DoubleStorage", 8, PHI_F64, 0 },
	{ "int64", "long", "LongStorage", 8, PHI_I64, 0 },
	{ "int32", "int", "IntStorage", 4, PHI_I32, 0 },
	{ "int16", "short", "ShortStorage", 2, PHI_I16, 0 },
	{ "int8", NULL, "CharStorage", 1, PHI_I8, 0 },
	{ "uint8", NULL, "ByteStorage", 1, PHI_U8, 0 },
	{ "bool", NULL, "BoolStorage", 1, PHI_BOOL, 0 },
	{ "complex64", "cfloat", "ComplexFloatStorage", 8, PHI_C64, 0 },
	{ "complex128", "cdouble", "ComplexDoubleStorage", 16, PHI_C128, 0 },
	{ "complex32", "chalf", NULL, 4, PHI_C32, 0 },
	{ "uint16", NULL, NULL, 2, PHI_U16, 0 },
	{ "uint32", NULL, NULL, 4, PHI_U32, 0 },
	{ "uint64", NULL, NULL, 8, PHI_U64, 0 },
	{ "float8_e4m3fn", NULL, NULL, 1, PHI_F8_E4M3, 0 },
	{ "float8_e5m2", NULL, NULL, 1, PHI_F8_E5M2, 0 },
	{ "float8_e4m3fnuz", NULL, NULL, 1, PHI_F8_E4M3FNUZ, 0 },
	{ "float8_e5m2fnuz", NULL, NULL, 1, PHI_F8_E5M2FNUZ, 0 },
	{ "float8_e8m0fnu", NULL, NULL, 1, PHI_F8_E8M0, 0 },
	{ "float4_e2m1fn_x2", NULL, NULL, 1, PHI_F4, 0 },
	{ "quint8", NULL, "QUInt8Storage", 1, PHI_U8, 8 },
	{ "qint8", NULL, "QInt8Storage", 1, PHI_I8, 8 },
	{ "qint32", NULL, "QInt32Storage", 4, PHI_I32, 32 },
	{ "quint4x2", NULL, "QUInt4x2Storage", 1, PHI_U8, 4 },
	{ "quint2x4", NULL, "QUInt2x4Storage", 1, PHI_U8, 2 },
	{ "bits8", NULL, NULL, 1, PHI_U8, 0 },
	{ "bits1x8", NULL, NULL, 1, PHI_U8, 0 },
	{ "bits2x4", NULL, NULL, 1, PHI_U8, 0 },
	{ "bits4x2", NULL, NULL, 1, PHI_U8, 0 },
	{ "bits16", NULL, NULL, 2, PHI_U16, 0 },
	{ "untyped", NULL, "UntypedStorage", 1, PHI_U8, 0 },
};
enum { NDTYPES = sizeof dtypes / sizeof *dtypes };

/* The name behind "torch", "torch.cuda" or "torch.storage"; NULL if it is another module's. */
static const char *
name_in_torch(const struct phi_pickle *global)
{
	if (!global || global->kind != PHI_PICKLE_GLOBAL ||
		strncmp(global->string.data, "torch", 5) != 0)
		return NULL;
	const char *const space = memchr(global->string.data, ' ', global->string.size);
	return space ? space + 1 : NULL;
}

const struct phi_torch_dtype *
phi_torch_storage_class(const struct phi_pickle *global)
{
	const char *const name = name_in_torch(global);
	for (size_t i = 0; name && i < NDTYPES; i++)
		if (dtypes[i].storage && !strcmp(dtypes[i].storage, name))
			return &dtypes[i];
	return NULL;
}

const struct phi_torch_dtype *
phi_torch_dtype(const struct phi_pickle *global)
{
	const char *const name = name_in_torch(global);
	for (size_t i = 0; name && i < NDTYPES; i++)
		if (!strcmp(dtypes[i].name, name) ||
			(dtypes[i].alias && !strcmp(dtypes[i].alias, name)))
			return &dtypes[i];
	return NULL;
}

const struct phi_torch_dtype *
phi_torch_dtype_of(const struct phi_type *type)
{
	for (size_t i = 0; i < NDTYPES; i++)
		if (dtypes[i].id == type->id)
			return &dtypes[i];
	return NULL;
}
