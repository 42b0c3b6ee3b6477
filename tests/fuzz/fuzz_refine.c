/* --search on any floats: the first bytes choose a type and whether there is importance, the rest are weights, over and
 * over until a block is full. What was made of them is searched, and must not become worse. */
#include "formats/core/bytes.h"
#include "quant/convert.h"
#include "quant/recipe.h"
#include "quant/refine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static double
error_of(const struct phi_shape *shape, const uint8_t *block, const float *x, const float *importance)
{
	float decoded[PHI_FIELD_CODES];
	struct phi_fields f = { 0 };
	double sum = 0;
	phi_fields_unpack(shape, block, &f);
	phi_fields_values(shape, &f, decoded);
	for (unsigned i = 0; i < shape->groups * shape->group; i++)
		sum += (importance ? importance[i] : 1) * ((double)decoded[i] - x[i]) * ((double)decoded[i] - x[i]);
	return sum;
}

static const struct phi_shape *
shape_number(unsigned n)
{
	for (unsigned i = 0;; i = (i + 1) % PHI_TYPES) {
		const struct phi_shape *const shape = phi_shape_of((enum phi_type_id)i);
		if (shape && phi_type_made(phi_type_of(shape->id)) && n-- == 0)
			return shape;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	float x[PHI_FIELD_CODES], importance[PHI_FIELD_CODES];
	uint8_t block[512], before[512];
	struct phi_convert convert;
	uint64_t bad;
	if (size < 6)
		return 0;
	const struct phi_shape *const shape = shape_number(data[0]);
	const size_t floats = (size - 2) / 4;
	const unsigned n = shape->groups * shape->group;
	for (size_t i = 0; i < n; i++) {
		x[i] = phi_float32(phi_load32(data + 2 + i % floats * 4));
		importance[i] = (float)data[1 + (i * 7 + data[1]) % (size - 1)];
	}
	const float *const weights = data[1] & 1 ? importance : NULL;
	if (phi_convert_find(phi_level_chosen(), phi_type_of(PHI_F32), phi_type_of(shape->id), &convert, NULL) ||
		convert.run(&convert, x, block, n, n, convert.importance ? weights : NULL, PHI_OVERFLOW_KEEP, &bad) < 0)
		abort();
	memcpy(before, block, sizeof block);
	phi_level_chosen()->refine(shape, x, weights, block, 1);
	if (error_of(shape, block, x, weights) > error_of(shape, before, x, weights))
		abort();
	return 0;
}
