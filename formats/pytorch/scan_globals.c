/* What a global is: allowed, dangerous, or none of both. */
#include "formats/pytorch/scan.h"

#include <ctype.h>
#include <string.h>

struct known {
	const char *module, *name; /* name NULL: the whole module, and what is beneath it */
	enum phi_scan_global class;
};

static const struct known known[] = {
#define ALLOW(module, name, makes) { module, name, PHI_GLOBAL_##makes },
#define FORBID(module, name) { module, name, PHI_GLOBAL_DANGEROUS },
#define FORBID_MODULE(module) { module, NULL, PHI_GLOBAL_DANGEROUS },
#include "formats/pytorch/scan_globals.def"
#undef ALLOW
#undef FORBID
#undef FORBID_MODULE
};

/* torch's types are many and alike: "torch FloatStorage", "torch.cuda.sparse HalfTensor". */
static const char *const elements[] = { "Float", "Half", "BFloat16", "Double", "Long", "Int", "Short",
	"Char", "Byte", "Bool", "ComplexFloat", "ComplexDouble", "QUInt8", "QInt8", "QInt32", "QUInt4x2",
	"QUInt2x4" };
static const char *const dtypes[] = { "float16", "float32", "float64", "bfloat16", "half", "float",
	"double", "complex32", "complex64", "complex128", "chalf", "cfloat", "cdouble", "bool", "uint8",
	"int8", "int16", "int32", "int64", "short", "int", "long", "uint16", "uint32", "uint64", "uint1",
	"uint2", "uint3", "uint4", "uint5", "uint6", "uint7", "int1", "int2", "int3", "int4", "int5",
	"int6", "int7", "qint8", "quint8", "qint32", "quint4x2", "quint2x4", "bits8", "bits16",
	"bits1x8", "bits2x4", "bits4x2", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2",
	"float8_e5m2fnuz", "float8_e8m0fnu", "float4_e2m1fn_x2" };
/* NumPy's scalars, and the classes of its types (numpy.dtypes Float64DType). */
static const char *const scalars[] = { "float16", "float32", "float64", "longdouble", "float128",
	"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "intc", "uintc",
	"longlong", "ulonglong", "bool_", "bool", "complex64", "complex128", "clongdouble", "str_",
	"bytes_", "void", "datetime64", "timedelta64" };
static const char *const classes[] = { "Float16", "Float32", "Float64", "LongDouble", "Int8", "Int16",
	"Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Int", "UInt", "Long", "ULong",
	"LongLong", "ULongLong", "Byte", "UByte", "Short", "UShort", "Bool", "Complex64", "Complex128",
	"CLongDouble", "Str", "Bytes", "Void", "Object", "DateTime64", "TimeDelta64", "String" };

static bool
same(const char *s, size_t n, const char *t)
{
	return strlen(t) == n && !memcmp(s, t, n);
}

static bool
among(const char *s, size_t n, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (same(s, n, list[i]))
			return true;
	return false;
}
#define AMONG(s, n, list) among(s, n, list, sizeof(list) / sizeof *(list))

static bool
ends(const char *s, size_t *n, const char *suffix)
{
	const size_t m = strlen(suffix);
	if (*n < m || memcmp(s + *n - m, suffix, m))
		return false;
	*n -= m;
	return true;
}

static enum phi_scan_global
classify_type(const char *module, size_t nmodule, const char *name, size_t n)
{
	static const char *const modules[] = { "torch", "torch.cuda", "torch.sparse",
		"torch.cuda.sparse" };
	size_t stem = n;
	if (AMONG(module, nmodule, modules)) {
		if (ends(name, &stem, "Storage"))
			return AMONG(name, stem, elements) ? PHI_GLOBAL_VALUE : PHI_GLOBAL_UNKNOWN;
		if (ends(name, &stem, "Tensor"))
			return AMONG(name, stem, elements) ? PHI_GLOBAL_TENSOR : PHI_GLOBAL_UNKNOWN;
	}
	if (same(module, nmodule, "torch") && AMONG(name, n, dtypes))
		return PHI_GLOBAL_VALUE;
	if (same(module, nmodule, "numpy") && AMONG(name, n, scalars))
		return PHI_GLOBAL_VALUE;
	if (same(module, nmodule, "numpy.dtypes") && ends(name, &stem, "DType") &&
		AMONG(name, stem, classes))
		return PHI_GLOBAL_VALUE;
	return PHI_GLOBAL_UNKNOWN;
}

/* Parts of letters, digits and underscores with single dots between them, not beginning with a digit. */
static bool
plain(const char *s, size_t n, bool dots)
{
	bool fresh = true;
	for (size_t i = 0; i < n; i++) {
		const unsigned char c = (unsigned char)s[i];
		const bool letter = c < 128 && (isalpha(c) || c == '_');
		if (c == '.' ? fresh || !dots : !letter && (fresh || c > 127 || !isdigit(c)))
			return false;
		fresh = c == '.';
	}
	return n && !fresh;
}

static bool
dunder(const char *s, size_t n)
{
	return n > 4 && !memcmp(s, "__", 2) && !memcmp(s + n - 2, "__", 2);
}

/* The name of a module itself or of one above it. */
static bool
beneath(const char *s, size_t n, const char *module)
{
	const size_t m = strlen(module);
	return n >= m && !memcmp(s, module, m) && (n == m || s[m] == '.');
}

enum phi_scan_global
phi_scan_classify(const char *module, size_t nmodule, const char *name, size_t nname)
{
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		const struct known *const k = &known[i];
		if (k->name ? same(module, nmodule, k->module) && same(name, nname, k->name)
			    : beneath(module, nmodule, k->module))
			return k->class;
	}
	if (!plain(module, nmodule, true) || !plain(name, nname, false) || dunder(name, nname))
		return PHI_GLOBAL_ODD;
	/* TorchScript's classes: its own reader looks them up in code/, Python has no such module. */
	if (beneath(module, nmodule, "__torch__"))
		return PHI_GLOBAL_CONTAINER;
	return classify_type(module, nmodule, name, nname);
}
