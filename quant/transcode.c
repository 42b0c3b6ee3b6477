#include "quant/transcode.h"

#include "quant/fields.h"

#include <math.h>
#include <string.h>

/* The two shapes of a block on its way. */
struct way {
	const struct phi_shape *from, *to;
	bool lossless;
};

static bool
is_linear(const struct phi_shape *shape)
{
	return shape->groups == 1 && shape->scales == PHI_ONE && !shape->values && shape->codes >= 16;
}

/* One byte of scale that means the same on both sides. */
static bool
same_tables(const struct phi_shape *a, const struct phi_shape *b)
{
	return a->scales == PHI_TABLED && b->scales == PHI_TABLED && a->groups == 1 && b->groups == 1 &&
		a->group == b->group && a->values == b->values;
}

bool
phi_transcodes(const struct phi_type *from, const struct phi_type *to)
{
	const struct phi_shape *const a = phi_shape_of(from->id), *const b = phi_shape_of(to->id);
	if (from == to || !a || !b || a->codes != b->codes || a->group % b->group)
		return false;
	return same_tables(a, b) || (is_linear(a) && is_linear(b));
}

/* MLX's types of other groups and scales go where those of 32 and F16 go, and so do ONNX's. */
static const struct {
	enum phi_type_id type, twin;
	const char *view;
} twins[] = {
	{ PHI_Q4_0, PHI_MLX4_G32_F16, "mlx" },
	{ PHI_Q4_1, PHI_MLX4_G32_F16, "mlx" },
	{ PHI_Q5_0, PHI_MLX5_G32_F16, "mlx" },
	{ PHI_Q5_1, PHI_MLX5_G32_F16, "mlx" },
	{ PHI_Q8_0, PHI_MLX8_G32_F16, "mlx" },
	{ PHI_MXFP4, PHI_MLX_MXFP4, "mlx" },
	{ PHI_MLX4_G32_F16, PHI_Q4_1, "gguf" },
	{ PHI_MLX5_G32_F16, PHI_Q5_1, "gguf" },
	{ PHI_MLX8_G32_F16, PHI_Q8_0, "gguf" },
	{ PHI_MLX_MXFP4, PHI_MXFP4, "gguf" },
	{ PHI_ONNX4_G32_F16, PHI_Q4_0, "gguf" },
	{ PHI_ONNX8_G32_F16, PHI_Q8_0, "gguf" },
	{ PHI_ONNX4A_G32_F16, PHI_Q4_1, "gguf" },
	{ PHI_ONNX4F_G32_F16, PHI_Q4_1, "gguf" },
};

/* The type that stands for those of a runtime in the list. */
static const struct phi_type *
listed(const struct phi_type *type)
{
	struct phi_type_fields fields;
	if (!phi_type_fields(type, &fields))
		return type;
	if (!strcmp(fields.format, "onnx"))
		return type->elements < 32 ? NULL : phi_type_onnx(fields.bits, 32, PHI_F16, phi_onnx_zeros_of(&fields));
	return fields.bias ? phi_type_mlx(fields.bits, 32, PHI_F16) : type;
}

/* Blocks of GGUF's, in ONNX's with scales of these floats; of MLX's in groups that it has. */
static const struct phi_type *
twin_for_onnx(const struct phi_type *type, enum phi_type_id scales)
{
	struct phi_type_fields fields;
	switch (type->id) {
	case PHI_Q4_0:
		return phi_type_onnx(4, 32, scales, PHI_ONNX_MIDDLE);
	case PHI_Q8_0:
		return phi_type_onnx(8, 32, scales, PHI_ONNX_MIDDLE);
	case PHI_Q4_1:
		return phi_type_onnx(4, 32, scales, PHI_ONNX_FLOATS);
	default:
		return phi_type_fields(type, &fields) && fields.bias
			? phi_type_onnx(fields.bits, type->elements, scales, PHI_ONNX_FLOATS) : NULL;
	}
}

const struct phi_type *
phi_twin_of_onnx(const struct phi_type *type, const struct phi_type *floats)
{
	struct phi_type_fields fields;
	if (phi_type_fields(type, &fields) && !strcmp(fields.format, "onnx"))
		return phi_type_onnx(fields.bits, type->elements, floats->id, phi_onnx_zeros_of(&fields));
	const struct phi_type *const twin = floats->class == PHI_CLASS_FLOAT ? twin_for_onnx(type, floats->id) : NULL;
	return twin ? twin : floats;
}

/* ONNX's blocks as groups of MLX's, which are of 32 to 128 weights; NULL: they are too small. */
static const struct phi_type *
twin_for_mlx(const struct phi_type *type, const struct phi_type_fields *fields)
{
	const unsigned group = type->elements < 128 ? type->elements : 128;
	return phi_type_mlx(fields->bits, group, fields->scales);
}

const struct phi_type *
phi_twin(const struct phi_type *type, const char *view)
{
	struct phi_type_fields fields;
	const bool onnx = phi_type_fields(type, &fields) && !strcmp(fields.format, "onnx");
	if (onnx && fields.bits > 2 && view && !strcmp(view, "mlx") && twin_for_mlx(type, &fields))
		return twin_for_mlx(type, &fields);
	const struct phi_type *const known = listed(type);
	for (size_t i = 0; view && i < sizeof twins / sizeof *twins; i++)
		if (known && twins[i].type == known->id && !strcmp(twins[i].view, view))
			return phi_type_of(twins[i].twin);
	return type;
}

/* How far a number moved when it was stored, in units of its last place there; infinite if it is not finite. */
static float
moved(const struct phi_shape *shape, double exact, uint32_t stored)
{
	const double value = (double)phi_head_value(shape, stored);
	const double next = (double)phi_head_value(shape, value == 0 ? 1 : stored ^ 1);
	if (value == exact)
		return 0;
	return isfinite(value) && isfinite(next) ? (float)(fabs(value - exact) / fabs(next - value)) : INFINITY;
}

/* The zero point that makes `low` what is taken from all values; false if there is none. */
static bool
zero_of(const struct way *w, double low, double step, struct phi_fields *out)
{
	const double middle = w->to->codes / 2, zero = step != 0 ? low / step : low == 0 ? middle : -1;
	out->min[0] = zero >= 0 && zero <= w->to->most_low ? (int16_t)zero : -1;
	return (double)out->min[0] == zero;
}

/* The zero point as a number. Where all codes are the same number, they are 0 and the scale is 1. */
static bool
shift_of(const struct way *w, double low, double step, struct phi_fields *f, struct phi_fields *out, float *ulp)
{
	if (step == 0) {
		memset(f->code, 0, sizeof f->code);
		out->d = phi_head_bits(w->to, 1);
		step = 1;
	}
	out->dmin = phi_head_bits(w->to, (float)(low / step));
	*ulp = fmaxf(*ulp, moved(w->to, low / step, out->dmin));
	return isfinite(phi_head_value(w->to, out->d)) && isfinite(phi_head_value(w->to, out->dmin));
}

/* Scale and low of `to` for those of f. False if it has no low and needs one. */
static bool
heads_of(const struct way *w, struct phi_fields *f, struct phi_fields *out, float *ulp)
{
	if (w->from->scales == PHI_TABLED) {
		out->scale[0] = f->scale[0];
		return true;
	}
	const float step = phi_fields_step(w->from, f, 0);
	const float shift = w->to->first - (w->from->first - phi_fields_zero(w->from, f)), was = phi_fields_low(w->from, f, 0);
	/* Nothing is added to a low that stays, be it a negative zero. */
	const double low = shift != 0 ? (double)was + (double)step * (double)shift : (double)was;
	out->d = phi_head_bits(w->to, step);
	*ulp = fmaxf(*ulp, moved(w->to, step, out->d));
	if (w->to->lows == PHI_ZEROED)
		return zero_of(w, low, step, out);
	if (w->to->lows == PHI_SHIFTED)
		return shift_of(w, low, step, f, out, ulp);
	if (w->to->lows == PHI_NO_LOW)
		return low == 0;
	out->dmin = phi_head_bits(w->to, (float)-low);
	*ulp = fmaxf(*ulp, moved(w->to, -low, out->dmin));
	return isfinite(phi_head_value(w->to, out->d)) && isfinite(phi_head_value(w->to, out->dmin));
}

static bool
same_values(const float *a, const float *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (a[i] != b[i] && !(isnan(a[i]) && isnan(b[i])))
			return false;
	return true;
}

/* One block of `from`. */
static bool
block(const struct way *w, const uint8_t *src, uint8_t *dst, float *ulp)
{
	struct phi_fields f = { 0 }, out = { 0 };
	float was[PHI_FIELD_CODES], is[PHI_FIELD_CODES];
	const unsigned n = w->from->group, each = w->to->group, bytes = phi_type_of(w->to->id)->bytes;
	phi_fields_unpack(w->from, src, &f);
	phi_fields_values(w->from, &f, was);
	if (!heads_of(w, &f, &out, ulp))
		return false;
	for (unsigned i = 0; i < n; i += each, dst += bytes) {
		memcpy(out.code, f.code + i, each);
		phi_fields_pack(w->to, &out, dst);
		if (w->lossless)
			phi_fields_values(w->to, &out, is + i);
	}
	return !w->lossless || same_values(was, is, n);
}

int
phi_transcode(const struct phi_type *from, const struct phi_type *to, const void *src, void *dst, uint64_t n,
	bool lossless, float *ulp, uint64_t *bad)
{
	const struct way way = { phi_shape_of(from->id), phi_shape_of(to->id), lossless };
	const uint8_t *s = src;
	uint8_t *d = dst;
	for (uint64_t i = 0; i < n; i += from->elements, s += from->bytes) {
		if (!block(&way, s, d, ulp)) {
			*bad = i;
			return -1;
		}
		d += from->elements / to->elements * to->bytes;
	}
	return 0;
}
