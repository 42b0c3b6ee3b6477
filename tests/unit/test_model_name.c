/* A model's name taken apart: the values of gguf-py 0.19 (get_model_id_components, id_to_title, size_label),
 * run with real parameter counts. */
#include "formats/gguf/model_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MINI 3821079552u
#define MEDIUM 13960238080u
#define FOUR 14659507200u
#define MOE 41873153344u
#define TWO 2779683840u
#define ONE 1418270720u

static const struct {
	uint64_t elements;
	const char *id, *name, *organization, *basename, *finetune, *version, *size;
} golden[] = {
	{ MINI, "Phi-3-mini-4k-instruct", "Phi 3 Mini 4k Instruct", NULL, "Phi-3", "4k-instruct", NULL,
		"mini" },
	{ MINI, "Phi-3-mini-128k-instruct", "Phi 3 Mini 128k Instruct", NULL, "Phi-3",
		"128k-instruct", NULL, "mini" },
	{ MINI, "Phi-3.5-mini-instruct", "Phi 3.5 Mini Instruct", NULL, "Phi-3.5", "instruct", NULL,
		"mini" },
	{ MEDIUM, "Phi-3-medium-4k-instruct", "Phi 3 Medium 4k Instruct", NULL, "Phi-3",
		"4k-instruct", NULL, "medium" },
	{ FOUR, "phi-4", "Phi 4", NULL, "phi", NULL, "4", NULL },
	{ MINI, "Phi-4-mini-instruct", "Phi 4 Mini Instruct", NULL, "Phi-4", "instruct", NULL, "mini" },
	{ MINI, "Phi-4-mini-reasoning", "Phi 4 Mini Reasoning", NULL, "Phi-4", "reasoning", NULL,
		"mini" },
	{ FOUR, "Phi-4-reasoning-plus", "Phi 4 Reasoning Plus", NULL, NULL, NULL, NULL, NULL },
	{ MOE, "Phi-3.5-MoE-instruct", "Phi 3.5 MoE Instruct", NULL, "Phi-3.5-MoE", "instruct", NULL,
		NULL },
	{ TWO, "phi-2", "Phi 2", NULL, "phi", NULL, "2", NULL },
	{ ONE, "phi-1_5", "Phi 1_5", NULL, "phi", "1_5", NULL, NULL },
	{ MINI, "microsoft/Phi-3-mini-4k-instruct", "Phi 3 Mini 4k Instruct", "Microsoft", "Phi-3",
		"4k-instruct", NULL, "mini" },
	{ 7000000000u, "bloom-7b1-chat-v2.0", "Bloom 7b1 Chat v2.0", NULL, "bloom", "chat", "v2.0",
		"7.1B" },
	{ 7000000000u, "x-mini-8x7B-q4_k_m-f16", "X Mini 8x7B Q4_K_M F16", NULL, "x-mini", NULL, NULL,
		"8x7B" },
	{ MINI, "my own model", "My Own Model", NULL, NULL, NULL, NULL, NULL },
	{ MINI, "./x-2", "X 2", NULL, "x", NULL, "2", NULL },
	{ MINI, "", "", NULL, NULL, NULL, NULL, NULL },
	{ MINI, "--", "", NULL, NULL, NULL, NULL, NULL },
};

static void
same(const char *have, const char *want)
{
	if (!want)
		assert_null(have);
	else
		assert_string_equal(have ? have : "(nothing)", want);
}

static void
parts(void **state)
{
	(void)state;
	struct phi_err err = { 0 };
	for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
		struct phi_arena *const arena = phi_arena_new(&err);
		struct phi_model_name n;
		print_message("%s\n", golden[i].id);
		assert_int_equal(phi_model_name_parse(golden[i].id, golden[i].elements, arena, &n, &err),
			0);
		same(n.name, golden[i].name);
		same(n.organization, golden[i].organization);
		same(n.basename, golden[i].basename);
		same(n.finetune, golden[i].finetune);
		same(n.version, golden[i].version);
		same(n.size_label, golden[i].size);
		phi_arena_free(arena);
	}
}

static void
sizes(void **state)
{
	(void)state;
	static const struct {
		uint64_t n;
		const char *text;
	} all[] = { { FOUR, "15B" }, { MOE, "42B" }, { TWO, "2.8B" }, { ONE, "1.4B" }, { 0, "0.00K" },
		{ 499, "0.50K" }, { 1000, "1.0K" }, { 9400, "9.4K" }, { 9500, "10K" }, { 10500, "10K" }, { 1000000, "1000K" },
		{ 1000001, "1.0M" }, { 1771264, "1.8M" }, { 2000000000000u, "2.0T" } };
	struct phi_err err = { 0 };
	struct phi_arena *const arena = phi_arena_new(&err);
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		assert_string_equal(phi_model_name_size(all[i].n, arena, &err), all[i].text);
	phi_arena_free(arena);
}

/* Far more parts than any name has: one word, not an overrun. */
static void
long_names(void **state)
{
	(void)state;
	char id[1001];
	for (size_t i = 0; i < 1000; i++)
		id[i] = i % 2 ? '-' : '7';
	id[1000] = '\0';
	struct phi_err err = { 0 };
	struct phi_arena *const arena = phi_arena_new(&err);
	struct phi_model_name n;
	assert_int_equal(phi_model_name_parse(id, 1, arena, &n, &err), 0);
	assert_int_equal(strlen(n.name), 999);
	assert_null(n.basename);
	phi_arena_free(arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(parts), cmocka_unit_test(sizes),
		cmocka_unit_test(long_names) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
