/* The table of codecs, and which level runs here. */
#include "quant/codec.h"
#include "quant/quant.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>

/* The compiler's test covers the operating system's part (saving the wide registers). */
static bool
cpu_avx2(void)
{
	unsigned a, b, c = 0, d;
	return __builtin_cpu_supports("avx2") && __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

static bool
cpu_avx512(void)
{
	return cpu_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
		__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

#define LEVEL(level, lanes, runs)                                                                          \
	extern const struct phi_codec *const phi_codec_families_##level[];                                 \
	extern phi_refine_fn phi_refine_##level;
#include "quant/levels.def"
#undef LEVEL

static const struct phi_level levels[] = {
#define LEVEL(level, width, runs) \
	{ .name = #level, .lanes = width, .families = phi_codec_families_##level,                          \
		.refine = phi_refine_##level },
#include "quant/levels.def"
#undef LEVEL
};
enum { NLEVELS = sizeof levels / sizeof *levels };

static bool runs[NLEVELS];
static const struct phi_level *chosen = levels;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
choose(void)
{
	const bool here[] = {
#define LEVEL(level, lanes, runs) runs,
#include "quant/levels.def"
#undef LEVEL
	};
	const char *const wish = getenv("PHI_CPU");
	for (unsigned i = 0; i < NLEVELS; i++) {
		runs[i] = here[i];
		if (here[i] && (!wish || strcmp(wish, levels[i].name) == 0))
			chosen = &levels[i];
	}
}

const struct phi_level *
phi_levels(unsigned *n)
{
	*n = NLEVELS;
	return levels;
}

bool
phi_level_runs(const struct phi_level *level)
{
	pthread_once(&once, choose);
	return runs[level - levels];
}

const struct phi_level *
phi_level_chosen(void)
{
	pthread_once(&once, choose);
	return chosen;
}

enum phi_importance
phi_codec_importance(const struct phi_codec *codec)
{
	if (!codec->encode_weighted && !codec->encode_by_row)
		return PHI_IMPORTANCE_NONE;
	return codec->encode ? PHI_IMPORTANCE_TAKEN : PHI_IMPORTANCE_NEEDED;
}

enum phi_importance
phi_quant_importance(const struct phi_type *type)
{
	const struct phi_codec *const codec = phi_codec_of(phi_level_chosen(), type->id);
	return codec ? phi_codec_importance(codec) : PHI_IMPORTANCE_NONE;
}

const char *
phi_quant_cpu(void)
{
	return phi_level_chosen()->name;
}

const struct phi_codec *
phi_codec_of(const struct phi_level *level, enum phi_type_id id)
{
	for (const struct phi_codec *const *family = level->families; *family; family++)
		for (const struct phi_codec *codec = *family; codec->id != PHI_TYPES; codec++)
			if (codec->id == id)
				return codec;
	return NULL;
}
