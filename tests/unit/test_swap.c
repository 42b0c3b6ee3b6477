/* Byte order of blocks: each number wider than a byte is turned round, nothing else moves. The offsets
 * themselves are checked against gguf-py and a list of their own in tests/peers/test_gguf_container.py. */
#include "formats/core/swap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Two blocks of every type: swapping twice gives them back, swapping once changes what it says, in both
 * blocks alike. */
static void
twice_is_not_at_all(void **state)
{
	(void)state;
	for (int id = 0; id < PHI_TYPES; id++) {
		const struct phi_type *const type = phi_type_of((enum phi_type_id)id);
		uint8_t was[600], is[600];
		for (unsigned i = 0; i < 2 * type->bytes; i++)
			was[i] = (uint8_t)(i % type->bytes);
		memcpy(is, was, sizeof is);
		phi_type_swap(type, is, 2 * type->bytes);
		assert_int_equal(memcmp(is, was, 2 * type->bytes) != 0, phi_type_swaps(type));
		assert_memory_equal(is, is + type->bytes, type->bytes);
		phi_type_swap(type, is, 2 * type->bytes);
		assert_memory_equal(is, was, 2 * type->bytes);
	}
}

static void
only_fields_move(void **state)
{
	(void)state;
	uint8_t q5[22] = { 1, 2, 3, 4, 5, 6, 7, 8 }, c64[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	phi_type_swap(phi_type_of(PHI_Q5_0), q5, sizeof q5);
	assert_memory_equal(q5, ((uint8_t[22]){ 2, 1, 6, 5, 4, 3, 7, 8 }), sizeof q5);
	phi_type_swap(phi_type_of(PHI_C64), c64, sizeof c64);
	assert_memory_equal(c64, ((uint8_t[8]){ 4, 3, 2, 1, 8, 7, 6, 5 }), sizeof c64);
	assert_false(phi_type_swaps(phi_type_of(PHI_MXFP4)));
	assert_false(phi_type_swaps(phi_type_of(PHI_F6_E2M3)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(twice_is_not_at_all),
		cmocka_unit_test(only_fields_move),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
