/* kernels LIBGGML [TYPE...]: every number type against ggml's kernels, one thread, in alternation, the best processor time of nine runs: making it of
 * F32 without importance and with, and decoding it. A line a type: our megabytes of F32 a second and how many times
 * ggml's that is, or why there is no figure. Exits 1 if bytes differ.
 *
 * Types whose tables are made at the first use have a last figure: the seconds that takes either side, and the ratio
 * for a model of 150 million weights, made once (with importance if there are both ways).
 *
 * The lane width follows PHI_CPU= as everywhere. */
#include "quant/convert.h"
#include "tests/unit/quant_inputs.h"

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

static const double model = 150e6; /* weights */

enum { LINE = 64, ROW = 4096, N = 16 * ROW, RUNS = 9 }; /* a chunk of the pump: 256 KiB of F32 */

typedef size_t quantize_fn(int type, const float *src, void *dst, int64_t start, int64_t nrows, int64_t n_per_row,
	const float *imatrix);
typedef void decode_fn(const void *src, float *dst, int64_t n);
/* The head of ggml's type traits. */
struct traits {
	const char *name;
	int64_t block, interleave;
	size_t bytes;
	bool quantized;
	decode_fn *decode;
};

static quantize_fn *ggml_quantize;
static const struct traits *(*ggml_traits)(int type);
static bool differ;

enum job { PLAIN, WEIGHTED, DECODE, JOBS };

struct bench {
	const struct phi_type *type;
	enum job job;
	float *x, *importance, *ours_x, *theirs_x;
	uint8_t *ours, *theirs;
	double tables_ours, tables_theirs; /* of the type's first use, seconds; below 0: not yet used */
	double ratio;			   /* of that model */
};

static double
now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
run_ours(const struct bench *b)
{
	const struct phi_type *const f32 = phi_type_of(PHI_F32);
	struct phi_convert c;
	uint64_t bad;
	const bool decode = b->job == DECODE;
	const void *const src = decode ? (const void *)b->theirs : b->x;
	void *const dst = decode ? (void *)b->ours_x : b->ours;
	if (phi_convert_find(phi_level_chosen(), decode ? b->type : f32, decode ? f32 : b->type, &c, NULL) < 0 ||
		c.run(&c, src, dst, N, ROW, b->job == WEIGHTED ? b->importance : NULL, PHI_OVERFLOW_KEEP, &bad) < 0)
		abort();
}

static void
run_theirs(const struct bench *b)
{
	if (b->job == DECODE)
		ggml_traits(b->type->ggml)->decode(b->theirs, b->theirs_x, N);
	else
		ggml_quantize(b->type->ggml, b->x, b->theirs, 0, N / ROW, ROW,
			b->job == WEIGHTED ? b->importance : NULL);
}

static double
seconds(void (*run)(const struct bench *), const struct bench *b, int times)
{
	const double start = now();
	for (int i = 0; i < times; i++)
		run(b);
	return (now() - start) / times;
}

static bool
same_bytes(const struct bench *b)
{
	if (b->job == DECODE)
		return memcmp(b->ours_x, b->theirs_x, N * sizeof *b->ours_x) == 0;
	return memcmp(b->ours, b->theirs, N / b->type->elements * b->type->bytes) == 0;
}

/* Is there such a job, on both sides? */
static bool
exists(const struct bench *b)
{
	const struct phi_codec *const codec = phi_codec_of(phi_level_chosen(), b->type->id);
	const struct traits *const traits = ggml_traits(b->type->ggml);
	if (!codec)
		return false;
	if (b->job == DECODE)
		return codec->decode && traits->decode;
	return b->job == PLAIN ? codec->encode != NULL : phi_codec_importance(codec) != PHI_IMPORTANCE_NONE;
}

static void
bench(struct bench *b)
{
	double ours = INFINITY, theirs = INFINITY;
	if (!exists(b)) {
		printf("  %16s", "-");
		return;
	}
	const double first_theirs = seconds(run_theirs, b, 1), first_ours = seconds(run_ours, b, 1);
	/* About 20 milliseconds of ours, whatever the type. */
	const int times = 1 + (int)(0.02 / (seconds(run_ours, b, 1) + 1e-6));
	for (int i = 0; i < RUNS; i++) {
		theirs = fmin(theirs, seconds(run_theirs, b, 1 + times / 4));
		ours = fmin(ours, seconds(run_ours, b, times));
	}
	if (b->tables_theirs < 0) {
		b->tables_ours = fmax(first_ours - ours, 0);
		b->tables_theirs = fmax(first_theirs - theirs, 0);
	}
	if (b->job != DECODE)
		b->ratio = (theirs * model / N + b->tables_theirs) / (ours * model / N + b->tables_ours);
	const bool same = same_bytes(b);
	differ |= !same;
	printf("  %6.0f %6.2fx%s", (double)N * 4e-6 / ours, theirs / ours, same ? "  " : " !");
}

static void
bench_type(const struct phi_type *type, struct bench *b)
{
	b->type = type;
	b->tables_theirs = -1;
	printf("%-8s", type->name);
	for (b->job = PLAIN; b->job < JOBS; b->job++)
		bench(b);
	if (b->tables_theirs > 0.02)
		printf("  tables %.3f against %.3f s, %.2fx", b->tables_ours, b->tables_theirs, b->ratio);
	putchar('\n');
	fflush(stdout);
}

static bool
is_wanted(const struct phi_type *type, char **names)
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (strcasecmp(*names, type->name) == 0)
			return true;
	return false;
}

int
main(int argc, char **argv)
{
	void *const lib = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
	if (!lib) {
		fprintf(stderr, "usage: kernels LIBGGML-BASE [TYPE...]\n");
		return 2;
	}
	*(void **)&ggml_quantize = dlsym(lib, "ggml_quantize_chunk");
	*(void **)&ggml_traits = dlsym(lib, "ggml_get_type_traits");
	/* Both sides' memory begins at a cache line, as that of either's programs does. */
	struct bench b = { .x = aligned_alloc(LINE, N * 4), .importance = aligned_alloc(LINE, ROW * 4),
		.ours_x = aligned_alloc(LINE, N * 4), .theirs_x = aligned_alloc(LINE, N * 4),
		.ours = aligned_alloc(LINE, N * 4), .theirs = aligned_alloc(LINE, N * 4) };
	input_fill(INPUT_WEIGHTS, b.x, N);
	for (uint32_t i = 0; i < ROW; i++)
		b.importance[i] = fabsf(input_gaussian(i + 12345)) + 0x1p-10f;
	printf("%s, MB/s of F32 and times ggml's\n%-8s  %16s  %16s  %16s\n", phi_level_chosen()->name, "", "made",
		"with importance", "decoded");
	for (int id = 0; id < PHI_TYPES; id++) {
		const struct phi_type *const type = phi_type_of((enum phi_type_id)id);
		if (type->ggml >= 0 && type->class != PHI_CLASS_INTEGER && type->id != PHI_F32 && type->id != PHI_F64 &&
			is_wanted(type, argv + 2))
			bench_type(type, &b);
	}
	return differ;
}
