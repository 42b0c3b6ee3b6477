/* Checkpoint folders: the index against its shards in both directions, the side files, the writing.
 */
#include "formats/core/buffer.h"
#include "formats/core/memory.h"
#include "formats/core/st_header.h"
#include "formats/formats.h"
#include "tests/unit/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

/* A file of U8 tensors of 4 elements, named by single letters. */
static void
write_shard(const char *path, const char *letters)
{
	struct phi_st_entry entries[8];
	char names[8][2] = { { 0 } };
	struct phi_buffer out = { 0 };
	uint64_t size;
	size_t n = 0;
	for (; letters[n]; n++) {
		names[n][0] = letters[n];
		entries[n] = (struct phi_st_entry){
			.name = names[n], .rank = 1, .shape = { 4 }, .type = phi_type_of(PHI_U8)
		};
	}
	assert_int_equal(phi_st_place(entries, n, &size, NULL), 0);
	assert_int_equal(phi_st_header_build(&out, entries, n, NULL, NULL), 0);
	for (size_t i = 0; i < n; i++)
		phi_buffer_append(&out,
			(const char[4]){ letters[i], letters[i], letters[i], letters[i] }, 4, NULL);
	scratch_write(path, out.data, out.size);
	phi_buffer_free(&out);
}

static void
write_text(const char *path, const char *text)
{
	scratch_write(path, text, strlen(text));
}

#define ONE "model-00001-of-00002.safetensors"
#define TWO "model-00002-of-00002.safetensors"
#define INDEX "model.safetensors.index.json"

static const char good_index[] = "{\"metadata\":{\"total_size\":16},\"weight_map\":{\"c\":\"" TWO
				 "\",\"a\":\"" ONE "\",\"b\":\"" ONE "\",\"d\":\"" TWO "\"}}";

/* A folder m/ of two shards, an index, a config and a tokenizer. */
static void
write_folder(void)
{
	assert_int_equal(system("rm -rf m out"), 0);
	assert_int_equal(mkdir("m", 0755), 0);
	write_shard("m/" ONE, "ba");
	write_shard("m/" TWO, "cd");
	write_text("m/" INDEX, good_index);
	write_text("m/config.json", "{\"model_type\":\"other\",\"hidden_size\":4}");
	write_text("m/tokenizer.json", "{}");
	write_text("m/evil.py", "import os");
}

static struct phi_source *
open_path(const char *path, struct phi_err *err)
{
	static const struct phi_spool_options spool = { .beside = "." };
	const struct phi_open_options options = { .size = sizeof options, .spool = &spool };
	*err = (struct phi_err){ 0 };
	return phi_open(path, &options, err);
}

static void
check_good(const char *path)
{
	struct phi_err err;
	struct phi_source *const s = open_path(path, &err);
	if (!s)
		fail_msg("%s: %s", path, err.text);
	const struct phi_model *const m = s->model;
	static const char letters[] = "bacd";
	assert_int_equal(m->ntensors, 4);
	for (uint32_t i = 0; i < 4; i++) {
		char bytes[4];
		assert_int_equal(m->tensors[i].name[0], letters[i]);
		assert_int_equal(phi_tensor_read(s, &m->tensors[i], false, 0, 4, bytes, &err), 0);
		assert_int_equal(bytes[3], letters[i]);
	}
	assert_string_equal(m->storages[0].file, ONE);
	assert_string_equal(m->storages[3].file, TWO);
	assert_int_equal(m->nsides, 2);
	assert_string_equal(phi_model_side(m, "tokenizer.json")->data, "{}");
	assert_string_equal(
		phi_value_string(phi_metadata_find(&m->metadata, "model_type")), "other");
	assert_string_equal(m->name, "m");
	phi_source_close(s);
}

static void
reads(void **state)
{
	(void)state;
	write_folder();
	check_good("m");
	check_good("m/");
	check_good("m/" INDEX);
	assert_int_equal(system("tar cf m.tar -C m ."), 0);
	check_good("m.tar");
	assert_int_equal(chdir("m"), 0);
	check_good(INDEX);
	check_good(".");
	assert_int_equal(chdir(".."), 0);
	/* One file goes before an index. */
	write_shard("m/model.safetensors", "z");
	struct phi_err err;
	struct phi_source *const s = open_path("m", &err);
	assert_int_equal(s->model->ntensors, 1);
	phi_source_close(s);
}

static void
fails(const char *path, const char *says)
{
	struct phi_err err;
	struct phi_source *const s = open_path(path, &err);
	if (s)
		fail_msg("opens, but should say \"%s\"", says);
	if (!strstr(err.text, says))
		fail_msg("\"%s\" does not say \"%s\"", err.text, says);
	phi_source_close(s);
}

static void
wrong_folders(void **state)
{
	(void)state;
	write_folder();
	assert_int_equal(unlink("m/" TWO), 0);
	fails("m", TWO ": is missing");
	write_folder();
	write_shard("m/" TWO, "c");
	fails("m", "tensor d: not in " TWO);
	write_folder();
	write_shard("m/" TWO, "cde");
	fails("m", TWO ": tensor e: not in the index");
	write_folder();
	write_shard("m/" ONE, "bac");
	fails("m", ONE ": tensor c: the index has it in another file");
	write_folder();
	write_shard("m/model-00003-of-00003.safetensors", "e");
	fails("m", "model-00003-of-00003.safetensors is not in the index");
	write_folder();
	write_text("m/config.json", "{\"a\":");
	fails("m", "config.json: JSON byte");
	write_folder();
	write_text("m/" TWO, "garbage");
	fails("m", TWO ": ");
	write_folder();
	assert_int_equal(unlink("m/" INDEX), 0);
	fails("m", "2 .safetensors files, but no");
	assert_int_equal(unlink("m/" ONE) | unlink("m/" TWO), 0);
	fails("m", "no weights");
	/* A shard that is a link out of the folder, or no file. */
	write_folder();
	assert_int_equal(unlink("m/" TWO), 0);
	assert_int_equal(symlink("/etc/passwd", "m/" TWO), 0);
	fails("m", TWO);
	assert_int_equal(unlink("m/" TWO), 0);
	assert_int_equal(mkfifo("m/" TWO, 0644), 0);
	fails("m", TWO);
}

static void
wrong_indices(void **state)
{
	(void)state;
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "", INDEX },
		{ "[]", INDEX },
		{ "{}", "weight_map is missing" },
		{ "{\"weight_map\":[]}", INDEX },
		{ "{\"weight_map\":{\"a\":1}}", INDEX },
		{ "{\"weight_map\":{\"a\":\"" ONE "\",\"a\":\"" TWO "\"}}", "duplicate" },
		{ "{\"weight_map\":{\"a\":\"../" ONE "\"}}", "no file beside the index" },
		{ "{\"weight_map\":{\"a\":\"/etc/passwd\"}}", "no file beside the index" },
		{ "{\"weight_map\":{\"a\":\"x/y\"}}", "no file beside the index" },
		{ "{\"weight_map\":{\"a\":\"..\"}}", "no file beside the index" },
		{ "{\"weight_map\":{\"a\":\"\"}}", "no file beside the index" },
		{ "{\"weight_map\":{\"a\":\"" INDEX "\"}}", "no file beside the index" },
		{ "{\"weight_map\":{\"a\":\"x\\u0000y\"}}", INDEX },
		{ "{\"weight_map\":{\"a\":\"nowhere.safetensors\"}}", "is missing" },
		{ "{\"weight_map\":{\"a\":\"" ONE "\"}} x", INDEX },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		write_folder();
		write_text("m/" INDEX, cases[i].text);
		fails("m", cases[i].says);
	}
	for (size_t n = 0; n < strlen(good_index); n++) {
		write_folder();
		scratch_write("m/" INDEX, good_index, n);
		fails("m", INDEX);
	}
}

static struct phi_plan *
plan_folder(struct phi_source *s, uint64_t shard_size, struct phi_err *err)
{
	const struct phi_format *const hf = phi_format_named("hf");
	const struct phi_plan_options options = { .size = sizeof options,
		.shard_size = shard_size };
	struct phi_model *const lowered = phi_lower(s->model, hf, NULL, err);
	assert_non_null(lowered);
	return phi_plan_new(lowered, hf, &options, err);
}

static void
writes(void **state)
{
	(void)state;
	struct phi_err err;
	write_folder();
	struct phi_source *const s = open_path("m", &err);
	struct phi_plan *plan = plan_folder(s, 0, &err);
	assert_int_equal(plan->nfiles, 3);
	assert_string_equal(plan->files[0].name, "model.safetensors");
	assert_string_equal(plan->files[1].name, "config.json");
	phi_plan_free(plan);

	/* b and a fill one, c and d the other: the same cut as the source. */
	plan = plan_folder(s, 8, &err);
	assert_int_equal(plan->nfiles, 5);
	assert_string_equal(plan->files[0].name, ONE);
	assert_string_equal(plan->files[1].name, TWO);
	assert_string_equal(plan->files[4].name, INDEX);
	const struct phi_item *const index = &plan->items[plan->nitems - 1];
	static const char expected[] = "{\n  \"metadata\": {\n    \"total_parameters\": 16,\n"
				       "    \"total_size\": 16\n  },\n  \"weight_map\": {\n"
				       "    \"a\": \"" ONE "\",\n    \"b\": \"" ONE "\",\n"
				       "    \"c\": \"" TWO "\",\n    \"d\": \"" TWO "\"\n  }\n}\n";
	assert_int_equal(index->size, strlen(expected));
	assert_memory_equal(index->literal, expected, strlen(expected));
	phi_plan_free(plan);

	/* Each tensor larger than a shard: one file each. */
	plan = plan_folder(s, 1, &err);
	assert_int_equal(plan->nfiles, 4 + 2 + 1);
	assert_string_equal(plan->files[3].name, "model-00004-of-00004.safetensors");
	phi_plan_free(plan);
	phi_source_close(s);
}

/* What weight files say of themselves survives beside a config.json; their format is the writer's.
 */
static void
metadata(void **state)
{
	(void)state;
	static const char header[] = "{\"__metadata__\":{\"format\":\"tf\",\"note\":\"n\"}}     ";
	static const char expected[] = "{\"__metadata__\":{\"format\":\"pt\",\"note\":\"n\"}}";
	struct phi_err err;
	char file[8 + sizeof header] = { sizeof header - 1 };
	write_folder();
	memcpy(file + 8, header, sizeof header - 1);
	scratch_write("m/model.safetensors", file, 8 + sizeof header - 1);
	struct phi_source *const s = open_path("m", &err);
	struct phi_plan *const plan = plan_folder(s, 0, &err);
	assert_memory_equal((const char *)plan->items[0].literal + 8, expected, strlen(expected));
	phi_plan_free(plan);
	phi_source_close(s);
}

/* A tensor that fits no shard closes none: shards are numbered as they close. */
static void
oversized(void **state)
{
	(void)state;
	struct phi_err err;
	write_folder();
	struct phi_source *const s = open_path("m", &err);
	s->model->tensors[1].shape[0] = 2; /* a */
	s->model->tensors[2].shape[0] = 3; /* c */
	s->model->tensors[0].shape[0] = 1; /* b: b(1) a(2) c(3) d(4) */
	struct phi_plan *const plan = plan_folder(s, 3, &err);
	const struct phi_item *const index = &plan->items[plan->nitems - 1];
	static const char *const expected[] = { "\"a\": \"model-00001-of-00003",
		"\"b\": \"model-00001-of-00003", "\"c\": \"model-00003-of-00003",
		"\"d\": \"model-00002-of-00003" };
	for (int i = 0; i < 4; i++)
		assert_non_null(strstr(index->literal, expected[i]));
	phi_plan_free(plan);
	phi_source_close(s);
}

/* What the container cannot hold; tied weights, which it does not share. */
static void
refusals(void **state)
{
	(void)state;
	struct phi_err err;
	write_folder();
	struct phi_source *const s = open_path("m", &err);
	s->model->tensors[1].alias = 0;
	struct phi_plan *plan = plan_folder(s, 0, &err);
	assert_int_equal(plan->model->nwarnings, 1);
	assert_string_equal(plan->model->warnings[0], "tensor a is left out: it is tied to b");
	phi_plan_free(plan);
	s->model->tensors[1].alias = PHI_NONE;
	s->model->tensors[3].shape[0] = 32;
	s->model->tensors[3].type = phi_type_of(PHI_Q8_0);
	plan = plan_folder(s, 0, &err);
	assert_null(plan);
	assert_string_equal(err.text, "tensor d: hf cannot hold Q8_0; the nearest it can is F16");
	phi_source_close(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),
		cmocka_unit_test(wrong_folders),
		cmocka_unit_test(wrong_indices),
		cmocka_unit_test(writes),
		cmocka_unit_test(metadata),
		cmocka_unit_test(oversized),
		cmocka_unit_test(refusals),
	};
	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
