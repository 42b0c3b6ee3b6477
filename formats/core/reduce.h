/* Reducing passes over tensors: statistics, comparison, surveys. Tiles of 64 Ki elements whatever -j,
 * decoded to F32; a partial result for each tile, merged in tile order: the same numbers for any -j.
 *
 * A pass has lanes: one lane reads one tensor of one source; comparing two models is two lanes. Where
 * one source is sequential its order rules; two sequential sources: settle the second first. */
#ifndef PHI_CORE_REDUCE_H
#define PHI_CORE_REDUCE_H

#include "formats/core/convert.h"
#include "formats/core/source.h"

enum { PHI_TILE = 64 << 10, PHI_LANES_MAX = 2 };

/* One unit of work: a tensor of each lane's source, of equal element counts. */
struct phi_reduce_job {
	uint32_t tensor[PHI_LANES_MAX]; /* index into the model of the lane's source */
};

struct phi_tile {
	uint32_t job;
	uint64_t first, n;
	const float *values[PHI_LANES_MAX]; /* decoded; NULL for a type that has no decoding */
	const void *raw[PHI_LANES_MAX];	    /* as stored, dense, little-endian */
	uint64_t raw_size[PHI_LANES_MAX];
};

struct phi_reduction {
	void *ctx;
	size_t partial_size;
	/* Fills a zeroed partial; pure, any thread. */
	void (*tile)(void *ctx, const struct phi_tile *tile, void *partial);
	/* Called in order of job and tile, one at a time. */
	int (*merge)(void *ctx, const struct phi_tile *tile, const void *partial, struct phi_err *err);
};

struct phi_reduce_options {
	size_t size;
	unsigned jobs;
	const struct phi_converters *converters;
	const struct phi_spool_options *spool;
	void (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *progress_ctx;
};

/* Runs the jobs (reordered to the order of arrival where a source is sequential, see `jobs` after the
 * call) and finishes the sources. */
int phi_reduce(struct phi_source *const *sources, unsigned nlanes, struct phi_reduce_job *jobs,
	size_t njobs, const struct phi_reduction *reduction, const struct phi_reduce_options *options,
	struct phi_err *err);

#endif
