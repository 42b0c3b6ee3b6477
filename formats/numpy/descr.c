#include "formats/numpy/descr.h"

#include <string.h>

/* kind: the letter and the bytes; name and letter: other spellings that numpy.dtype takes. Those of
 * C's long are what they are on Linux. */
static const struct {
	enum phi_type_id id;
	const char *kind, *name, *letters;
} types[] = {
	{ PHI_F16, "f2", "float16", "e" },
	{ PHI_F32, "f4", "float32", "f" },
	{ PHI_F64, "f8", "float64", "d" },
	{ PHI_I8, "i1", "int8", "b" },
	{ PHI_I16, "i2", "int16", "h" },
	{ PHI_I32, "i4", "int32", "i" },
	{ PHI_I64, "i8", "int64", "lq" },
	{ PHI_U8, "u1", "uint8", "B" },
	{ PHI_U16, "u2", "uint16", "H" },
	{ PHI_U32, "u4", "uint32", "I" },
	{ PHI_U64, "u8", "uint64", "LQ" },
	{ PHI_BOOL, "b1", "bool", "?" },
	{ PHI_C64, "c8", "complex64", "F" },
	{ PHI_C128, "c16", "complex128", "D" },
	{ PHI_BF16, "V2", "bfloat16", "" },
	{ PHI_F8_E5M2, "f1", "float8_e5m2", "" },
};
enum { NTYPES = sizeof types / sizeof *types };

static bool
is(const char *text, size_t size, const char *word)
{
	return size == strlen(word) && !memcmp(text, word, size);
}

/* What elements of another kind are. */
static const char *
strange(const char *kind, size_t size)
{
	switch (size ? kind[0] : '\0') {
	case 'O':
		return "objects of Python, a pickle, which is never read";
	case 'S':
	case 'a':
		return "bytes of text";
	case 'U':
		return "text";
	case 'M':
		return "dates";
	case 'm':
		return "spans of time";
	case 'V':
		return "bytes without a type (a float or integer of ml_dtypes, perhaps)";
	case 'f':
	case 'g':
		return "floats of a kind that depends on the machine";
	case 'c':
	case 'G':
		return "complex numbers of a kind that depends on the machine";
	default:
		return "of a type that is not known";
	}
}

struct phi_descr
phi_descr_of(const char *descr, size_t size)
{
	const char order = size ? descr[0] : '\0';
	const bool ordered = order && strchr("<>|=", order);
	const char *const kind = descr + ordered;
	const size_t n = size - ordered;
	for (int i = 0; i < NTYPES; i++) {
		const bool letter = n == 1 && kind[0] && strchr(types[i].letters, kind[0]);
		if (!letter && !is(kind, n, types[i].kind) &&
			!(is(kind, n, types[i].name) && !ordered))
			continue;
		return (struct phi_descr){ .type = phi_type_of(types[i].id),
			.swap = order == '>' && phi_type_of(types[i].id)->bytes > 1,
			.guessed = types[i].id == PHI_BF16 && order != '<' && order != '>' };
	}
	return (struct phi_descr){ .what = strange(kind, n) };
}

const char *
phi_descr_name(const struct phi_type *type)
{
	static const char *const names[PHI_TYPES] = {
		[PHI_F16] = "<f2",
		[PHI_F32] = "<f4",
		[PHI_F64] = "<f8",
		[PHI_I8] = "|i1",
		[PHI_I16] = "<i2",
		[PHI_I32] = "<i4",
		[PHI_I64] = "<i8",
		[PHI_U8] = "|u1",
		[PHI_U16] = "<u2",
		[PHI_U32] = "<u4",
		[PHI_U64] = "<u8",
		[PHI_BOOL] = "|b1",
		[PHI_C64] = "<c8",
		[PHI_C128] = "<c16",
	};
	return type->id < PHI_TYPES ? names[type->id] : NULL;
}

/* BF16 has more exponents than F16, F8 and smaller have fewer; nothing is made of complex numbers. */
const char *
phi_descr_nearest(const struct phi_type *type)
{
	if (type->class == PHI_CLASS_COMPLEX)
		return NULL;
	return type->class == PHI_CLASS_FLOAT && type->id != PHI_BF16 && type->id != PHI_F8_E8M0
		       ? "F16"
		       : "F32";
}
