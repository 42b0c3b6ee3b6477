/* Two models side by side: tensors paired by name, and how far each pair is apart. */
#ifndef PHI_INSPECT_COMPARE_H
#define PHI_INSPECT_COMPARE_H

#include "inspect/inspect.h"
#include "inspect/stats.h"

/* How far b is from a. Sums are doubles, taken tile by tile and merged in order: the same for any -j. */
struct phi_distance {
	uint64_t n;
	uint64_t strange; /* elements where one side is NaN or infinite and the other is not the same */
	bool bytes_differ; /* as stored, when the types are the same */
	bool values_differ;
	bool undecoded; /* a type without decoding: only bytes were compared */
	double max_abs;
	uint64_t max_at; /* the first element that far apart */
	double diff_squares, a_squares, b_squares, dot;
	/* With importance: its sum over all elements, and the squares times it. */
	double weights, weighted_diff, weighted_a;
};

enum phi_pair_state {
	PHI_PAIR_ONLY_A,
	PHI_PAIR_ONLY_B,
	PHI_PAIR_SHAPE,	  /* same name, another shape: not compared */
	PHI_PAIR_UNKNOWN, /* different types, one of which has no decoding */
	PHI_PAIR_DIFFERS,
	PHI_PAIR_WITHIN, /* differs, by no more than the tolerance */
	PHI_PAIR_EQUAL,	 /* every value is the same */
};

struct phi_pair {
	uint32_t a, b; /* index into the models' tensors, or PHI_NONE */
	enum phi_pair_state state;
	struct phi_distance distance;
	struct phi_stats *stats; /* of a and of b; NULL: not asked for, or not measured */
	/* Of the columns of a, for each index of the outermost of three dimensions, from a number on; lent; or NULL. */
	const struct phi_columns *importance;
	uint64_t importance_first;
};

/* A block: a stretch of values that the type of b quantizes together, else that of a, else of 32. */
enum { PHI_BLOCK_VALUES = 256 };

struct phi_block {
	const char *name;
	uint64_t index, first; /* of the block, of its first element */
	unsigned n;
	double squares; /* the sum of squared differences */
	double max_abs;
	unsigned max_at; /* in the block */
	float values[2][PHI_BLOCK_VALUES];
};

struct phi_comparison {
	struct phi_source *source[2];
	const struct phi_diff_options *options;
	struct phi_pair *pairs; /* worst first */
	size_t npairs;
	size_t count[PHI_PAIR_EQUAL + 1]; /* of pairs, by state */
	size_t types_differ;
	struct phi_stats *stats;   /* two for each pair, if asked for */
	struct phi_block *blocks; /* the worst first, if asked for */
	unsigned nblocks;
};

/* Pairs the tensors (pair.c), compares those that the other side keeps in its configuration
 * (configured.c; such a pair has one tensor and is no longer ONLY_A or ONLY_B), then measures the rest,
 * judges and sorts (compare.c). c->source and c->options are given. */
int phi_comparison_pair(struct phi_comparison *c, struct phi_err *err);
int phi_comparison_configured(struct phi_comparison *c, struct phi_err *err);
int phi_comparison_measure(struct phi_comparison *c, struct phi_err *err);
void phi_comparison_free(struct phi_comparison *c);

/* The canonical name if the family gave one, else the file's. */
const char *phi_pair_name(const struct phi_comparison *c, const struct phi_pair *pair);
/* The tensor of side 0 or 1, or NULL. */
const struct phi_tensor *phi_pair_tensor(const struct phi_comparison *c, const struct phi_pair *pair,
	unsigned side);
const char *phi_pair_state_name(enum phi_pair_state state);

double phi_block_rmse(const struct phi_block *block);
/* In what a type quantizes together, for the type of a pair's sides. */
unsigned phi_block_length(const struct phi_type *a, const struct phi_type *b);
/* Puts a block into a list of the worst, sorted, of at most `most`. */
void phi_block_insert(struct phi_block *list, unsigned *count, unsigned most,
	const struct phi_block *block);

/* Adds elements [first, first + n) of a and b; n itself is the caller's to count. */
void phi_distance_add(struct phi_distance *d, const float *a, const float *b, uint64_t n, uint64_t first);
/* The same of n elements times a number each, the importance of their columns. */
void phi_distance_weigh(struct phi_distance *d, const float *a, const float *b, uint64_t n, const float *importance);
/* What is equal to the last bit still adds to the sums of squares. */
void phi_distance_add_equal(struct phi_distance *d, const float *a, uint64_t n);
/* p's elements follow d's. */
void phi_distance_merge(struct phi_distance *d, const struct phi_distance *p);

double phi_distance_rmse(const struct phi_distance *d);
/* rmse over the root mean square of a; 0 for equal values, infinite where a is all zeros. */
double phi_distance_relative(const struct phi_distance *d);
/* 10 log10(sum a^2 / sum (a-b)^2): infinite for equal values. */
double phi_distance_sqnr(const struct phi_distance *d);
/* The first two and sqnr as the importance weighs elements; 0 and infinite without any. */
double phi_distance_weighted_rmse(const struct phi_distance *d);
double phi_distance_weighted_sqnr(const struct phi_distance *d);
/* 1 for two tensors of zeros, 0 where only one is. */
double phi_distance_cosine(const struct phi_distance *d);

#endif
