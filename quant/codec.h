/* A codec: the arithmetic of one number type, at one level (a lane width, lanes.h).
 *
 * A family's file exports an array of codecs, ended by PHI_CODECS_END, under the name
 * PHI_CODECS(family); it is compiled once a level. codecs.def lists the families. A new number type is
 * such a file and one line there.
 *
 * Functions here see whole blocks, dense, src and dst of any alignment unless said, never
 * overlapping; they have no state and cannot fail. What may go wrong (NaN, overflow) is for
 * convert.c, which asks only `largest`, `sound` and what encode returns.
 */
#ifndef PHI_QUANT_CODEC_H
#define PHI_QUANT_CODEC_H

#include "formats/core/convert.h"
#include "quant/refine.h"

struct phi_codec {
	enum phi_type_id id;
	/* How many blocks the kernels take at a time: they are called with multiples of it only
	 * (convert.c pads the rest with zeros). At most PHI_GROUP_MAX elements. */
	unsigned group;
	/* Blocks to floats; dst is aligned as floats are. NULL: no decoding. */
	void (*decode)(const uint8_t *src, float *dst, size_t blocks);
	/* Floats to blocks; src is aligned as floats are. NULL: no encoding. Returns the largest
	 * magnitude among the input as the bits of a float without its sign, so that anything not finite
	 * is above every number. */
	uint32_t (*encode)(const float *src, uint8_t *dst, size_t blocks);
	/* The same where importance is given: that of each element, laid out like src, finite and none below
	 * 0. NULL: the type makes nothing of it. A type with this and no encode is not made without. Any
	 * finite input; what is not finite must not touch other blocks of its group. The reference may
	 * make blocks that are not `sound` of sound input: convert.c looks at each, so sound is given too. */
	uint32_t (*encode_weighted)(const float *src, const float *importance, uint8_t *dst,
		size_t blocks);
	/* Instead of encode_weighted where the weights also depend on the row: squares has, for each
	 * block, the mean of the squares of its row. */
	uint32_t (*encode_by_row)(const float *src, const float *importance, const float *squares,
		uint8_t *dst, size_t blocks);
	/* One block of any input, infinite and NaN too, exactly as the reference does it. Where it is given
	 * encode may give anything for a group with such input. NULL: encode does so itself (plain floats),
	 * or, of a block type, no such input is passed to it: a search makes nothing of NaN, the reference
	 * then refuses its own result, and PHI_OVERFLOW_KEEP is to take 0 and `largest` instead. */
	void (*reference)(const float *src, uint8_t *dst);
	/* Finite input up to this magnitude never overflows. Beyond it the input does, or, if `sound` is
	 * given, does where the block encoded from it is not sound (its scales are not finite). */
	float largest;
	bool (*sound)(const uint8_t *block);
	/* Where decoding narrows (F64): is this source element finite? NULL: decoding loses nothing. */
	bool (*finite)(const uint8_t *element);
	/* What takes this codec's place where the reference's known defects are wanted (--compat llama.cpp).
	 * NULL: it has none in this type. */
	const struct phi_codec *as_llama;
	/* What takes this codec's place for sources of these types, where the reference computes in the source's
	 * type. NULL: nothing does. */
	const struct phi_codec *of_bf16, *of_f16;
	/* What takes this codec's place where another of ONNX Runtime's algorithms is asked for (--algo). NULL: the
	 * algorithm does not make this type, or there is but one. */
	const struct phi_codec *as_rtn, *as_k_quant, *as_qdq;
};

enum { PHI_GROUP_MAX = 4096 };

#define PHI_CODECS_END { .id = PHI_TYPES }

/* Names at the level being compiled (the Makefile defines PHI_LEVEL and PHI_LANES): the array of a
 * family, and the table of all of them (families.c). */
#define PHI_LEVEL_PASTE(name, level) name##_##level
#define PHI_LEVEL_NAME(name, level) PHI_LEVEL_PASTE(name, level)
#define PHI_CODECS(family) PHI_LEVEL_NAME(phi_codecs_##family, PHI_LEVEL)
#define PHI_FAMILIES PHI_LEVEL_NAME(phi_codec_families, PHI_LEVEL)

struct phi_level {
	const char *name; /* "avx2" */
	unsigned lanes;
	const struct phi_codec *const *families; /* NULL-ended */
	phi_refine_fn *refine;
};

/* All levels of this build, narrowest first; `n` of them. Whether one runs here is phi_level_runs. */
const struct phi_level *phi_levels(unsigned *n);
bool phi_level_runs(const struct phi_level *level);
/* The level in use: the widest that runs, or what PHI_CPU= names. Fixed at the first call. */
const struct phi_level *phi_level_chosen(void);
/* NULL if the type has no arithmetic. */
const struct phi_codec *phi_codec_of(const struct phi_level *level, enum phi_type_id id);
enum phi_importance phi_codec_importance(const struct phi_codec *codec);

#endif
