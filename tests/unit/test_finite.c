/* Numbers that are not finite, of every type that can have them. */
#include "formats/core/finite.h"

#include "formats/core/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Where one odd number stands in an element or block of a type, and its bits. */
static const struct {
	enum phi_type_id type;
	unsigned offset, width;
	uint64_t nan, largest;
} samples[] = {
	{ PHI_F32, 0, 4, 0xff800000, 0x7f7fffff },
	{ PHI_F16, 0, 2, 0x7e00, 0xfbff },
	{ PHI_BF16, 0, 2, 0xff80, 0x7f7f },
	{ PHI_F64, 0, 8, UINT64_C(0x7ff0000000000001), UINT64_C(0xffefffffffffffff) },
	{ PHI_F8_E4M3, 0, 1, 0xff, 0x7e },
	{ PHI_F8_E5M2, 0, 1, 0x7c, 0xfb },
	{ PHI_F8_E8M0, 0, 1, 0xff, 0xfe },
	{ PHI_C64, 4, 4, 0x7fc00000, 0x7f7fffff },
	{ PHI_Q4_0, 0, 2, 0x7c00, 0x7bff },
	{ PHI_Q4_1, 2, 2, 0xfc00, 0x7bff },
	{ PHI_Q5_1, 2, 2, 0x7c00, 0x7bff },
	{ PHI_Q8_0, 0, 2, 0x7c01, 0x7bff },
	{ PHI_Q2_K, 82, 2, 0x7c00, 0x7bff },
	{ PHI_Q3_K, 108, 2, 0x7c00, 0x7bff },
	{ PHI_Q4_K, 2, 2, 0x7c00, 0x7bff },
	{ PHI_Q5_K, 0, 2, 0x7c00, 0x7bff },
	{ PHI_Q6_K, 208, 2, 0xfe00, 0x7bff },
	{ PHI_IQ4_XS, 0, 2, 0x7c00, 0x7bff },
	{ PHI_TQ1_0, 52, 2, 0x7c00, 0x7bff },
	{ PHI_TQ2_0, 64, 2, 0x7c00, 0x7bff },
	{ PHI_MXFP4, 0, 1, 0xff, 0xfe },
};

static void
put(uint8_t *p, uint64_t v, unsigned width)
{
	for (unsigned i = 0; i < width; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static void
each_type(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
		const struct phi_type *const type = phi_type_of(samples[i].type);
		uint8_t blocks[5 * 300];
		uint64_t first = 99;
		const uint64_t n = 5 * type->bytes;
		memset(blocks, 0, sizeof blocks);
		for (unsigned k = 0; k < 5; k++)
			put(blocks + k * type->bytes + samples[i].offset, samples[i].largest,
				samples[i].width);
		assert_int_equal(phi_type_odd(type, blocks, n, &first), 0);
		put(blocks + 2 * type->bytes + samples[i].offset, samples[i].nan, samples[i].width);
		put(blocks + 4 * type->bytes + samples[i].offset, samples[i].nan, samples[i].width);
		assert_int_equal(phi_type_odd(type, blocks, n, &first), 2);
		assert_int_equal(first, 2);
	}
}

/* Codes may have any bits. */
static void
only_scales_count(void **state)
{
	(void)state;
	uint8_t q8[34], i8[8], nvfp4[36];
	uint64_t first = 0;
	memset(q8, 0x7f, sizeof q8);
	phi_store16(q8, 0x3c00);
	memset(i8, 0xff, sizeof i8);
	memset(nvfp4, 0xff, sizeof nvfp4);
	assert_int_equal(phi_type_odd(phi_type_of(PHI_Q8_0), q8, sizeof q8, &first), 0);
	assert_int_equal(phi_type_odd(phi_type_of(PHI_I8), i8, sizeof i8, &first), 0);
	assert_int_equal(phi_type_odd(phi_type_of(PHI_NVFP4), nvfp4, sizeof nvfp4, &first), 0);
}

/* IQ1_M's scale lies in the high quarters of four numbers. */
static void
spread_scale(void **state)
{
	(void)state;
	uint8_t block[56] = { 0 };
	uint64_t first = 0;
	const uint16_t odd = 0x7c00, large = 0x7bff;
	for (unsigned i = 0; i < 4; i++)
		phi_store16(block + 48 + 2 * i, (uint16_t)((large >> 4 * i & 15) << 12 | 0xfff));
	assert_int_equal(phi_type_odd(phi_type_of(PHI_IQ1_M), block, 56, &first), 0);
	for (unsigned i = 0; i < 4; i++)
		phi_store16(block + 48 + 2 * i, (uint16_t)((odd >> 4 * i & 15) << 12));
	assert_int_equal(phi_type_odd(phi_type_of(PHI_IQ1_M), block, 56, &first), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_type),
		cmocka_unit_test(only_scales_count),
		cmocka_unit_test(spread_scale),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
