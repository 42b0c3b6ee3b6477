/* The stream: what goes in comes out, bit for bit; what is cut, changed or added is an error. */
#include "formats/core/config.h"
#include "formats/core/memory.h"
#include "formats/formats.h"
#include "formats/stream/model_text.h"
#include "formats/stream/stream.h"
#include "tests/unit/scratch.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>

#include <cmocka.h>

static struct phi_err err;

/* ---- a model in memory: tensors of all kinds of shapes and types, ties, odd names */

static const struct {
	const char *name;
	enum phi_type_id type;
	unsigned rank;
	uint64_t shape[3];
	uint32_t alias;
} tensors[] = {
	{ "embed.weight", PHI_BF16, 2, { 40, 16 }, PHI_NONE },
	{ "scalar", PHI_F32, 0, { 0 }, PHI_NONE },
	{ "packed", PHI_Q8_0, 2, { 3, 64 }, PHI_NONE },
	{ "empty", PHI_F16, 2, { 0, 7 }, PHI_NONE },
	{ "lm_head.weight", PHI_BF16, 2, { 40, 16 }, 0 },
	{ "odd \xff name", PHI_U8, 1, { 5 }, PHI_NONE },
	{ "hex:61", PHI_C128, 1, { 3 }, PHI_NONE },
	{ "bool", PHI_BOOL, 3, { 2, 2, 2 }, PHI_NONE },
	{ "t\xc3\xa4nsor \"quoted\" \\", PHI_I64, 1, { 9 }, PHI_NONE },
	{ "none", PHI_F32, 1, { 0 }, PHI_NONE },
};
enum { TENSORS = sizeof tensors / sizeof *tensors };

static uint8_t
byte_of(uint32_t storage, uint64_t offset)
{
	return (uint8_t)(storage * 31 + offset * 7 + offset / 256);
}

static int
memory_read(struct phi_source *source, uint32_t storage, uint64_t offset, void *dst, size_t n,
	struct phi_err *e)
{
	(void)source, (void)e;
	for (size_t i = 0; i < n; i++)
		((uint8_t *)dst)[i] = byte_of(storage, offset + i);
	return 0;
}

static const struct phi_source_ops memory_ops = { .read = memory_read };

static void
add_value(struct phi_model *m, const char *key, struct phi_value v)
{
	assert_int_equal(phi_metadata_add(&m->metadata, m->arena, key, v, &err), 0);
}

#define ARRAY(k, elements)                                                                       \
	add_value(m, #k "[]", (struct phi_value){ .kind = PHI_VALUE_ARRAY,                       \
		.array = { .kind = PHI_VALUE_##k, .data = (elements),                            \
			.count = sizeof(elements) / phi_value_width(PHI_VALUE_##k) } })

static void
add_metadata(struct phi_model *m)
{
	static const double doubles[] = { 0, -0.0, 1, 0.1, 1e300, 5e-324, -1.0 / 3, 3.14159265358979,
		INFINITY, -INFINITY };
	static const float floats[] = { 0.1f, -0.0f, 1e-45f, 3.4028235e38f, 16777217.f, 1e-5f,
		INFINITY, 1.17549435e-38f };
	static const uint64_t longs[] = { 0, UINT64_MAX, (uint64_t)INT64_MAX, (uint64_t)1 << 63 };
	static const struct phi_string strings[] = { { "", 0 }, { "a\0b", 3 }, { "\xff\xfe", 2 },
		{ "\xe2\x80\xae\n\"\\", 6 }, { "hex:00", 6 } };
	static const int8_t bytes[] = { -128, 0, 127 };
	static const uint16_t shorts[] = { 0, 65535 };
	static const int32_t ints[] = { INT32_MIN, -1, INT32_MAX };
	static const uint8_t bools[] = { 0, 1 };
	add_value(m, "u8", (struct phi_value){ .kind = PHI_VALUE_U8, .u = 255 });
	add_value(m, "i8", (struct phi_value){ .kind = PHI_VALUE_I8, .i = -128 });
	add_value(m, "u16", (struct phi_value){ .kind = PHI_VALUE_U16, .u = 65535 });
	add_value(m, "i16", (struct phi_value){ .kind = PHI_VALUE_I16, .i = -32768 });
	add_value(m, "u32", (struct phi_value){ .kind = PHI_VALUE_U32, .u = UINT32_MAX });
	add_value(m, "i32", (struct phi_value){ .kind = PHI_VALUE_I32, .i = INT32_MIN });
	add_value(m, "u64", (struct phi_value){ .kind = PHI_VALUE_U64, .u = UINT64_MAX });
	add_value(m, "i64", (struct phi_value){ .kind = PHI_VALUE_I64, .i = INT64_MIN });
	add_value(m, "f32", (struct phi_value){ .kind = PHI_VALUE_F32, .f = (double)0.1f });
	add_value(m, "f64", (struct phi_value){ .kind = PHI_VALUE_F64, .f = 0.1 });
	add_value(m, "nan", (struct phi_value){ .kind = PHI_VALUE_F64, .f = (double)NAN });
	add_value(m, "yes", (struct phi_value){ .kind = PHI_VALUE_BOOL, .b = true });
	add_value(m, "null", (struct phi_value){ .kind = PHI_VALUE_NULL });
	add_value(m, "key \xff", (struct phi_value){ .kind = PHI_VALUE_STRING, .s = strings[2] });
	ARRAY(F64, doubles);
	ARRAY(F32, floats);
	ARRAY(U64, longs);
	ARRAY(STRING, strings);
	ARRAY(I8, bytes);
	ARRAY(U16, shorts);
	ARRAY(I32, ints);
	ARRAY(BOOL, bools);
	add_value(m, "no floats", (struct phi_value){ .kind = PHI_VALUE_ARRAY,
		.array = { .kind = PHI_VALUE_F32, .data = floats } });
}

static struct phi_source *
make_source(const char *view)
{
	struct phi_source *const s = phi_source_new("memory", &memory_ops, 0, &err);
	struct phi_model *const m = s->model;
	m->view = view;
	m->name = "M\xc3\xbcsli 7B";
	m->recipe = "q8_0";
	for (uint32_t i = 0; i < TENSORS; i++) {
		struct phi_storage *const storage = phi_model_add_storage(m, &err);
		struct phi_tensor *const t = phi_model_add_tensor(m, &err);
		t->name = tensors[i].name;
		t->type = phi_type_of(tensors[i].type);
		t->rank = tensors[i].rank;
		memcpy(t->shape, tensors[i].shape, sizeof tensors[i].shape);
		t->alias = tensors[i].alias;
		t->nplanes = 1;
		t->plane[0] = (struct phi_plane){ .dense = true,
			.storage = t->alias == PHI_NONE ? i : t->alias };
		assert_true(phi_tensor_bytes(t, &storage->size));
	}
	m->tensors[2].canonical = "model.packed";
	add_metadata(m);
	assert_int_equal(phi_model_add_side(m, "README.md", "# Hello\n", 8, &err), 0);
	assert_int_equal(phi_model_add_side(m, "empty.txt", "", 0, &err), 0);
	assert_int_equal(phi_model_add_side(m, "model.xxh3", "forged", 6, &err), 0);
	return s;
}

static int
no_conversion(const struct phi_type *from, const struct phi_type *to, struct phi_convert *c,
	struct phi_err *e)
{
	(void)c;
	return phi_fail(e, PHI_UNSUPPORTED, "no way from %s to %s", from->name, to->name);
}

static const struct phi_converters converters = { .find = no_conversion };

/* Writes the source as a stream to a file; closes it. */
static void
write_stream(struct phi_source *source, const char *path, bool compress)
{
	const struct phi_plan_options plan_options = { .size = sizeof plan_options,
		.compress = compress };
	const struct phi_output_options output_options = { .force = true, .no_sync = true };
	struct phi_model *const lowered = phi_model_lower_same(source->model, &err);
	struct phi_plan *const plan = phi_plan_new(lowered, phi_format_named("stream"), &plan_options, &err);
	if (!plan)
		fail_msg("%s", err.text);
	assert_int_equal(plan->model->nwarnings, source->model->nsides == 3);
	struct phi_output *const o = phi_output_open(PHI_OUTPUT_FILES, path, &output_options, &err);
	struct phi_sink *const sink = phi_sink_open(plan, o, &err);
	const struct phi_pump_options options = { .size = sizeof options, .jobs = 2,
		.converters = &converters };
	if (phi_pump(source, sink, &options, &err))
		fail_msg("%s", err.text);
	const uint64_t size = plan->files[0].size;
	phi_sink_close(sink);
	phi_plan_free(plan);
	phi_source_close(source);
	struct stat st;
	stat(path, &st);
	if (!compress)
		assert_int_equal(st.st_size, size);
}

static struct phi_source *
open_stream(const char *path)
{
	static const struct phi_spool_options spool = { .refuse = true };
	const struct phi_open_options options = { .size = sizeof options, .spool = &spool };
	return phi_open(path, &options, &err);
}

static void
expect_metadata(const struct phi_metadata *a, const struct phi_metadata *b)
{
	assert_int_equal(a->count, b->count);
	for (size_t i = 0; i < a->count; i++) {
		assert_string_equal(a->items[i].key, b->items[i].key);
		if (!phi_stream_value_equal(&a->items[i].value, &b->items[i].value))
			fail_msg("metadata %s differs", a->items[i].key);
	}
}

static void
expect_tensors(struct phi_source *s)
{
	assert_int_equal(s->model->ntensors, TENSORS);
	for (uint32_t i = 0; i < TENSORS; i++) {
		const struct phi_tensor *const t = &s->model->tensors[i];
		assert_string_equal(t->name, tensors[i].name);
		assert_ptr_equal(t->type, phi_type_of(tensors[i].type));
		assert_int_equal(t->rank, tensors[i].rank);
		assert_memory_equal(t->shape, tensors[i].shape, t->rank * sizeof *t->shape);
		assert_int_equal(t->alias, tensors[i].alias);
	}
	assert_string_equal(s->model->tensors[2].canonical, "model.packed");
	assert_string_equal(s->model->sides[0].data, "# Hello\n");
}

/* Reads every tensor and the end. -1 if that fails; what does not must be right. */
static int
read_all(struct phi_source *s)
{
	bool same = true;
	assert_int_equal(s->model->ntensors, TENSORS);
	for (uint32_t i = 0; i < TENSORS; i++) {
		const struct phi_tensor *const t = &s->model->tensors[i];
		uint8_t bytes[2048];
		uint64_t size;
		assert_true(phi_tensor_bytes(t, &size) && size <= sizeof bytes);
		if (t->alias != PHI_NONE)
			continue;
		if (phi_source_read(s, t->plane[0].storage, 0, bytes, size / 2, &err) ||
			phi_source_read(s, t->plane[0].storage, size / 2, bytes + size / 2,
				size - size / 2, &err))
			return -1;
		for (uint64_t k = 0; k < size; k++)
			same = same && bytes[k] == byte_of(i, k);
	}
	if (phi_source_finish(s, &err))
		return -1;
	assert_true(same);
	return 0;
}

static void
everything_comes_back(void **state)
{
	(void)state;
	struct phi_source *const expected = make_source("gguf");
	write_stream(make_source("gguf"), "a.phi", false);
	struct phi_source *const s = open_stream("a.phi");
	if (!s)
		fail_msg("%s", err.text);
	assert_string_equal(s->model->view, "gguf");
	assert_string_equal(s->model->name, "M\xc3\xbcsli 7B");
	assert_string_equal(s->model->format, "memory");
	assert_string_equal(s->model->recipe, "q8_0");
	assert_int_equal(s->model->nsides, 2);
	expect_tensors(s);
	expect_metadata(&s->model->metadata, &expected->model->metadata);
	if (read_all(s))
		fail_msg("%s", err.text);
	phi_source_close(s);
	phi_source_close(expected);
	/* the same bytes again, and through zstd the same tar */
	write_stream(make_source("gguf"), "b.phi", false);
	write_stream(make_source("gguf"), "c.phi", true);
	assert_int_equal(system("cmp a.phi b.phi && zstd -dcq < c.phi | cmp - a.phi"), 0);
	assert_int_equal(system("tar -tf a.phi > list && [ \"$(tr '\\n' ' ' < list)\" = 'model.json "
				"README.md empty.txt model.safetensors model.xxh3 ' ]"), 0);
}

/* Offset and size of each tensor as planned are where the bytes are. */
static void
plan_tells_the_truth(void **state)
{
	(void)state;
	write_stream(make_source("gguf"), "a.phi", false);
	long n;
	const uint8_t *const bytes = (const uint8_t *)scratch_read("a.phi", &n);
	struct phi_source *const source = make_source("gguf");
	struct phi_plan *const plan = phi_plan_new(phi_model_lower_same(source->model, &err),
		phi_format_named("stream"), NULL, &err);
	for (size_t i = 0; i < plan->nitems; i++) {
		const struct phi_item *const item = &plan->items[i];
		for (uint64_t k = 0; item->tensor != PHI_NONE && k < item->size; k++)
			assert_int_equal(bytes[item->offset + k], byte_of(item->tensor, k));
		if (item->literal)
			assert_memory_equal(bytes + item->offset, item->literal, item->size);
	}
	assert_int_equal(n, plan->files[0].size);
	phi_plan_free(plan);
	phi_source_close(source);
}

static void
config_is_not_repeated(void **state)
{
	(void)state;
	static const char config[] = "{\"a\": 1, \"b\": {\"c\": [1.5, 2]}, \"d\": null}";
	struct phi_source *const s = make_source("canonical");
	struct phi_model *const m = s->model;
	m->metadata = (struct phi_metadata){ 0 };
	phi_model_add_side(m, "config.json", config, sizeof config - 1, &err);
	assert_int_equal(phi_config_describe(m, config, sizeof config - 1, &err), 0);
	const size_t count = m->metadata.count;
	/* one changed, one new */
	phi_metadata_set(&m->metadata, m->arena, "a",
		(struct phi_value){ .kind = PHI_VALUE_U8, .u = 7 }, &err);
	phi_metadata_add_string(&m->metadata, m->arena, "new", "word", &err);
	m->nsides = 0;
	phi_model_add_side(m, "config.json", config, sizeof config - 1, &err);
	phi_model_add_side(m, "README.md", "", 0, &err);
	write_stream(s, "a.phi", false);
	assert_int_equal(system("tar -xOf a.phi model.json | grep -q '\"b.c\"'") != 0, 1);
	struct phi_source *const back = open_stream("a.phi");
	if (!back)
		fail_msg("%s", err.text);
	assert_int_equal(back->model->metadata.count, count + 1);
	assert_int_equal(back->model->metadata.items[0].value.kind, PHI_VALUE_U8);
	assert_int_equal(back->model->metadata.items[0].value.u, 7);
	assert_string_equal(back->model->metadata.items[1].key, "b.c");
	assert_string_equal(back->model->metadata.items[count].key, "new");
	phi_source_close(back);
}

/* A child gives the bytes through a FIFO, as a pipe would. */
static struct phi_source *
open_through_pipe(const char *path, pid_t *child)
{
	char command[256];
	unlink("fifo");
	assert_int_equal(mkfifo("fifo", 0600), 0);
	*child = fork();
	if (!*child) {
		snprintf(command, sizeof command, "cat %s > fifo", path);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(1);
	}
	return open_stream("fifo");
}

static void
pipe_is_the_same(void **state)
{
	(void)state;
	for (int compress = 0; compress < 2; compress++) {
		pid_t child;
		int status;
		write_stream(make_source("gguf"), "a.phi", compress);
		struct phi_source *const s = open_through_pipe("a.phi", &child);
		if (!s)
			fail_msg("%s", err.text);
		expect_tensors(s);
		if (read_all(s))
			fail_msg("%s", err.text);
		/* all was taken: the writer must not die of SIGPIPE */
		waitpid(child, &status, 0);
		assert_int_equal(status, 0);
		phi_source_close(s);
	}
}

/* Order, skipping, going back. */
static void
reading_is_in_order(void **state)
{
	(void)state;
	write_stream(make_source("gguf"), "a.phi", false);
	struct phi_source *const s = open_stream("a.phi");
	uint8_t b[8];
	const uint32_t packed = s->model->tensors[2].plane[0].storage;
	assert_int_equal(phi_source_read(s, packed, 100, b, 8, &err), 0);
	for (unsigned k = 0; k < 8; k++)
		assert_int_equal(b[k], byte_of(2, 100 + k));
	assert_int_equal(phi_source_read(s, packed, 107, b, 8, &err), -1);
	assert_int_equal(phi_source_read(s, packed, 200, b, 8, &err), -1); /* beyond */
	assert_int_equal(phi_source_finish(s, &err), 0); /* what was skipped is verified too */
	phi_source_close(s);
}

/* A file becomes random without a spool, which is forbidden here; a pipe cannot. */
static void
file_is_settled(void **state)
{
	(void)state;
	static const struct phi_spool_options refuse = { .refuse = true };
	uint8_t b[8];
	pid_t child;
	write_stream(make_source("gguf"), "a.phi", false);
	struct phi_source *s = open_stream("a.phi");
	assert_int_equal(phi_source_settle(s, &refuse, &err), 0);
	assert_false(s->sequential);
	for (int i = TENSORS - 1; i >= 0; i--) {
		const struct phi_tensor *const t = &s->model->tensors[i];
		uint64_t size;
		assert_true(phi_tensor_bytes(t, &size));
		if (size < 8)
			continue;
		const uint32_t storage = tensors[i].alias == PHI_NONE ? (uint32_t)i : tensors[i].alias;
		assert_int_equal(phi_source_read(s, t->plane[0].storage, size - 8, b, 8, &err), 0);
		for (unsigned k = 0; k < 8; k++)
			assert_int_equal(b[k], byte_of(storage, size - 8 + k));
	}
	phi_source_close(s);
	/* damaged: found while settling */
	assert_int_equal(system("printf '\\377' | dd of=a.phi bs=1 seek=6000 conv=notrunc 2>dd.log"), 0);
	s = open_stream("a.phi");
	assert_int_equal(phi_source_settle(s, &refuse, &err), -1);
	assert_non_null(strstr(err.text, "damaged"));
	phi_source_close(s);
	for (int compress = 0; compress < 2; compress++) {
		write_stream(make_source("gguf"), "a.phi", compress);
		s = compress ? open_stream("a.phi") : open_through_pipe("a.phi", &child);
		assert_int_equal(phi_source_settle(s, &refuse, &err), -1);
		assert_non_null(strstr(err.text, "--no-spool"));
		phi_source_close(s);
	}
	waitpid(child, NULL, 0);
}

/* Reads a file as a stream: 0 if it opens, reads and ends well with the right contents. */
static int
try_file(const char *path)
{
	err = (struct phi_err){ 0 };
	struct phi_source *const s = open_stream(path);
	const int status = s ? read_all(s) : -1;
	phi_source_close(s);
	if (!status)
		return 0;
	/* one line, and never nothing */
	assert_true(err.kind != PHI_OK && err.text[0]);
	assert_null(strchr(err.text, '\n'));
	return -1;
}

static void
cut_anywhere_is_an_error(void **state)
{
	(void)state;
	for (int compress = 0; compress < 2; compress++) {
		static char copy[1 << 20];
		long n;
		write_stream(make_source("gguf"), "a.phi", compress);
		memcpy(copy, scratch_read("a.phi", &n), sizeof copy);
		/* uncompressed, the end mark and the padding before it may be missing */
		long needed = n;
		while (!compress && !copy[needed - 1])
			needed--;
		for (long i = 0; i <= n; i++) {
			scratch_write("cut.phi", copy, (size_t)i);
			if ((try_file("cut.phi") == 0) != (i >= needed))
				fail_msg("cut at %ld of %ld: %s", i, needed, err.text);
		}
	}
}

/* Any byte may be flipped: an error, or nothing that matters (the tar header's dates and such). */
static void
flipped_anywhere_is_seen(void **state)
{
	(void)state;
	for (int compress = 0; compress < 2; compress++) {
		static char copy[1 << 20];
		long n;
		int unseen = 0;
		write_stream(make_source("gguf"), "a.phi", compress);
		memcpy(copy, scratch_read("a.phi", &n), sizeof copy);
		for (long i = 0; i < n; i++) {
			copy[i] ^= (char)(1 << i % 8);
			scratch_write("flip.phi", copy, (size_t)n);
				unseen += try_file("flip.phi") == 0;
			copy[i] ^= (char)(1 << i % 8);
		}
		/* Only the padding between members: the tar headers have a checksum. In zstd a larger
		 * window, an unused bit, or a match at another place with the same bytes. */
		assert_in_range(unseen, 0, compress ? n / 100 : 6 * 512 + 1024);
	}
}

static void
refused(const char *command, const char *words)
{
	if (system(command))
		fail_msg("%s", command);
	if (!try_file("bad.phi"))
		fail_msg("%s: accepted", command);
	if (!strstr(err.text, words))
		fail_msg("%s: %s", command, err.text);
}

#define TAR "tar --format=ustar --hard-dereference --owner=0 --group=0 -C x -cf bad.phi "

static void
wrong_members_are_named(void **state)
{
	(void)state;
	write_stream(make_source("gguf"), "a.phi", false);
	assert_int_equal(system("rm -rf x && mkdir x && tar -xf a.phi -C x"), 0);
	assert_int_equal(system(TAR "model.json README.md empty.txt model.safetensors model.xxh3 &&"
				    "cp bad.phi good.phi"), 0);
	assert_int_equal(try_file("good.phi"), 0);
	refused(TAR "model.json README.md empty.txt model.safetensors", "cut off before model.xxh3");
	refused(TAR "model.json README.md empty.txt", "cut off before model.safetensors");
	refused(TAR "model.json empty.txt model.safetensors model.xxh3", "empty.txt: has no digest");
	refused(TAR "model.json README.md empty.txt model.safetensors README.md",
		"README.md stands where model.xxh3");
	refused(TAR "model.json model.json model.safetensors", "model.json: not what comes next");
	refused(TAR "model.json model.xxh3 model.safetensors", "model.xxh3: not what comes next");
	refused(TAR "model.json README.md README.md model.safetensors", "README.md: not what comes");
	refused("echo more > x/more && " TAR
		"model.json README.md empty.txt model.safetensors model.xxh3 more",
		"more follows the end");
	refused("cat a.phi a.phi > bad.phi", "model.json follows the end");
	refused("(cat a.phi; echo hello; head -c 2000 /dev/urandom) > bad.phi", "follow the end");
	refused("mkdir -p x/sub && echo > x/sub/f && " TAR "model.json sub/f model.safetensors",
		"sub/f: not what comes next");
	refused("ln -sf README.md x/link && " TAR "model.json link model.safetensors",
		"link: not a regular file");
	refused("sed -i 's/^\\(.\\).\\(.*scalar\\)$/\\1x\\2/' x/model.xxh3 && " TAR
		"model.json README.md empty.txt model.safetensors model.xxh3",
		"tensor scalar: damaged");
	refused("grep -v scalar x/model.xxh3 > x/m && mv x/m x/model.xxh3 && " TAR
		"model.json README.md empty.txt model.safetensors model.xxh3",
		"tensor scalar: has no digest");
	refused("printf '%0*d' 8 0 > x/model.safetensors && " TAR "model.json model.safetensors",
		"model.safetensors");
}

static void
bad_text(const char *text, const char *words)
{
	struct phi_model *const m = phi_model_new("stream", &err);
	struct phi_metadata metadata = { 0 };
	const int status = phi_stream_model_parse(m, &metadata, text, strlen(text), &err);
	if (!words && status)
		fail_msg("%s: %s", text, err.text);
	if (words && (!status || !strstr(err.text, words)))
		fail_msg("%s: %s", text, status ? err.text : "accepted");
	phi_model_free(m);
}

#define HEAD                                                                                     \
	"{\"schema\": 1, \"view\": \"v\", \"name\": \"n\", \"format\": \"f\", \"recipe\": null,"
#define META(x) HEAD "\"tensors\": {}, \"metadata\": {\"k\": " x "}}"
#define TENSOR(x) HEAD "\"tensors\": {" x "}, \"metadata\": {}}"

static void
bad_model_text_is_refused(void **state)
{
	(void)state;
	bad_text(HEAD "\"tensors\": {}, \"metadata\": {}}", NULL);
	bad_text("", "expected");
	bad_text("[]", "'{' expected");
	bad_text("{}", "\"schema\" is missing");
	bad_text("{\"schema\": 2}", "schema 2; this version knows 1");
	bad_text("{\"schema\": 1, \"name\": 1}", "\"view\" is missing");
	bad_text("{\"schema\": 1, \"view\": \"\"}", "empty");
	bad_text(HEAD "\"tensors\": {}}", "metadata");
	bad_text(HEAD "\"tensors\": {}, \"metadata\": {}, \"more\": 1}", "too many");
	bad_text(HEAD "\"tensors\": {}, \"metadata\": {}} x", "the end expected");
	bad_text(HEAD "\"tensors\": [], \"metadata\": {}}", "'{' expected");
	bad_text(META("[\"u8\", 255]"), NULL);
	bad_text(META("[\"u8\", 256]"), "metadata k: an unsigned");
	bad_text(META("[\"u8\", -1]"), "unsigned");
	bad_text(META("[\"u8\", 1.0]"), "unsigned");
	bad_text(META("[\"u8\", [1]]"), "unsigned");
	bad_text(META("[\"u8[]\", 1]"), "an array expected");
	bad_text(META("[\"i8\", 128]"), "integer");
	bad_text(META("[\"i64\", 9223372036854775808]"), "JSON");
	bad_text(META("[\"u64\", {\"bits\": \"ffffffffffffffff\"}]"), NULL);
	bad_text(META("[\"u64\", {\"bits\": \"fffffffffffffff\"}]"), "expected");
	bad_text(META("[\"f32\", {\"bits\": \"7fc0000g\"}]"), "expected");
	bad_text(META("[\"f32\", {\"bits\": \"7fc00000\", \"x\": 1}]"), "expected");
	bad_text(META("[\"f32\", \"1\"]"), "expected");
	bad_text(META("[\"bool\", 1]"), "true or false");
	bad_text(META("[\"null\", 1]"), "null");
	bad_text(META("[\"null[]\", []]"), "no known kind");
	bad_text(META("[\"array\", []]"), "no known kind");
	bad_text(META("[\"string\", 1]"), "a string");
	bad_text(META("[\"string\", {\"hex\": \"abc\"}]"), "hexadecimal");
	bad_text(META("[\"string[]\", [\"a\", [\"b\"]]]"), "a string");
	bad_text(META("[\"string\"]"), "kind and a value");
	bad_text(META("[\"u8\", 1], \"k\": [\"u8\", 1]"), "twice");
	bad_text(META("[\"u8\", 1], \"hex:6b\": [\"u8\", 1]"), "metadata k occurs twice");
	bad_text(META("[\"u8\", 1], \"hex:0\": [\"u8\", 1]"), "hexadecimal");
	bad_text(META("[\"u8\", 1], \"a\\u0000\": [\"u8\", 1]"), "NUL");
	bad_text(TENSOR("\"t\": {\"type\": \"F32\", \"shape\": [1]}"), NULL);
	bad_text(TENSOR("\"t\": {\"type\": \"F33\", \"shape\": [1]}"), "type F33");
	bad_text(TENSOR("\"t\": {\"type\": \"f32\", \"shape\": [1]}"), "type f32");
	bad_text(TENSOR("\"t\": {\"type\": \"F32\"}"), "tensor t: type and shape");
	bad_text(TENSOR("\"t\": {\"type\": \"F32\", \"shape\": [1], \"x\": 1}"), "type and shape");
	bad_text(TENSOR("\"t\": {\"type\": \"F32\", \"shape\": [1,1,1,1,1,1,1,1,1]}"), "dimensions");
	bad_text(TENSOR("\"t\": {\"type\": \"F32\", \"shape\": [-1]}"), "unsigned");
	bad_text(TENSOR("\"t\": {\"type\": \"F32\", \"shape\": [1], \"alias\": \"t\"}"), "not before");
	bad_text(TENSOR("\"t\": {\"type\": \"F32\", \"shape\": [1]},"
			"\"u\": {\"type\": \"F16\", \"shape\": [1], \"alias\": \"t\"}"), "type and shape");
	bad_text(TENSOR("\"t\": {\"type\": \"F32\", \"shape\": [1]},"
			"\"t\": {\"type\": \"F32\", \"shape\": [1]}"), "twice");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_comes_back),
		cmocka_unit_test(plan_tells_the_truth),
		cmocka_unit_test(config_is_not_repeated),
		cmocka_unit_test(pipe_is_the_same),
		cmocka_unit_test(reading_is_in_order),
		cmocka_unit_test(file_is_settled),
		cmocka_unit_test(cut_anywhere_is_an_error),
		cmocka_unit_test(flipped_anywhere_is_seen),
		cmocka_unit_test(wrong_members_are_named),
		cmocka_unit_test(bad_model_text_is_refused),
	};
	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
