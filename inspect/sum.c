#include "inspect/sum.h"

#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/core/relay.h"
#include "inspect/pick.h"

#include <nettle/sha2.h>
#include <pthread.h>
#include <stdlib.h>

struct sum {
	struct phi_source *source;
	const struct phi_inspect_options *options;
	struct phi_digest *digests;
	uint32_t *order; /* tensors in the order they are read; aliases are not among them */
	size_t count;
	uint64_t done, total;
	pthread_mutex_t lock; /* of done */
};

struct slot {
	unsigned char *buffer;
};

static void
drop(void *ctx, void *slot)
{
	(void)ctx;
	phi_free(((struct slot *)slot)->buffer);
}

static void
report(struct sum *s, uint64_t bytes)
{
	pthread_mutex_lock(&s->lock);
	s->done += bytes;
	if (s->options->progress)
		s->options->progress(s->options->progress_ctx, s->done, s->total);
	pthread_mutex_unlock(&s->lock);
}

static void
spell(struct sha256_ctx *sha, struct phi_digest *digest)
{
	static const char hex[] = "0123456789abcdef";
	uint8_t raw[SHA256_DIGEST_SIZE];
	sha256_digest(sha, sizeof raw, raw);
	for (size_t i = 0; i < sizeof raw; i++) {
		digest->hex[2 * i] = hex[raw[i] >> 4];
		digest->hex[2 * i + 1] = hex[raw[i] & 15];
	}
	digest->hex[64] = '\0';
	digest->known = true;
}

/* A packed tensor: its planes one after the other, as they are stored. */
static int
digest_planes(struct sum *s, uint32_t index, unsigned char *buffer, struct phi_err *err)
{
	const struct phi_tensor *const t = &s->source->model->tensors[index];
	struct sha256_ctx sha;
	sha256_init(&sha);
	for (unsigned i = 0; i < t->nplanes; i++)
		for (uint64_t at = 0, left = t->packed->plane[i].bytes; left;) {
			const size_t n = left < PHI_CHUNK_BYTES ? (size_t)left : PHI_CHUNK_BYTES;
			if (phi_source_read(s->source, t->plane[i].storage, t->plane[i].offset + at,
				    buffer, n, err))
				return -1;
			sha256_update(&sha, n, buffer);
			report(s, n);
			at += n;
			left -= n;
		}
	spell(&sha, &s->digests[index]);
	return 0;
}

static int
digest_tensor(struct sum *s, uint32_t index, unsigned char *buffer, struct phi_err *err)
{
	const struct phi_tensor *const t = &s->source->model->tensors[index];
	struct sha256_ctx sha;
	sha256_init(&sha);
	uint64_t n = 0;
	if (!phi_tensor_elements(t, &n))
		return phi_fail(err, PHI_LIMIT, "too many elements");
	const uint64_t step = PHI_CHUNK_BYTES / t->type->bytes * t->type->elements;
	for (uint64_t first = 0; first < n; first += step) {
		const uint64_t m = n - first < step ? n - first : step;
		const size_t bytes = (size_t)(m / t->type->elements * t->type->bytes);
		if (phi_tensor_read(s->source, t, false, first, m, buffer, err))
			return -1;
		sha256_update(&sha, bytes, buffer);
		report(s, bytes);
	}
	spell(&sha, &s->digests[index]);
	return 0;
}

static int
work(void *ctx, uint64_t ticket, void *slot_memory, struct phi_err *err)
{
	struct sum *const s = ctx;
	struct slot *const slot = slot_memory;
	const uint32_t index = s->order[ticket];
	const struct phi_tensor *const t = &s->source->model->tensors[index];
	if (t->nplanes && !phi_tensor_is_readable(t))
		return 0;
	if (!slot->buffer && !(slot->buffer = phi_alloc(PHI_CHUNK_BYTES, err)))
		return -1;
	struct phi_quoted q;
	if (t->packed ? digest_planes(s, index, slot->buffer, err)
		      : digest_tensor(s, index, slot->buffer, err)) {
		phi_context(err, "tensor %s", phi_quote(&q, t->name));
		return phi_source_blame(s->source, t->nplanes ? t->plane[0].storage : PHI_NONE, err);
	}
	return 0;
}

/* The place of a tensor's first byte in the order of arrival. */
static int
by_arrival(const void *a, const void *b, void *ctx)
{
	const struct phi_tensor *const tensors = ctx;
	const struct phi_plane *const p = &tensors[*(const uint32_t *)a].plane[0];
	const struct phi_plane *const q = &tensors[*(const uint32_t *)b].plane[0];
	if (p->storage != q->storage)
		return p->storage < q->storage ? -1 : 1;
	return p->offset < q->offset ? -1 : p->offset > q->offset;
}

/* Tensors that are asked for, and the first names of those that are aliases. */
static void
list(struct sum *s)
{
	const struct phi_model *const m = s->source->model;
	/* Marked in order first, then closed up. */
	for (size_t i = 0; i < m->ntensors; i++) {
		const struct phi_tensor *const t = &m->tensors[i];
		if (phi_pick_matches(t, s->options->only, s->options->exclude))
			s->order[t->alias == PHI_NONE ? i : t->alias] = 1;
	}
	for (size_t i = 0; i < m->ntensors; i++) {
		uint64_t bytes = 0;
		if (!s->order[i])
			continue;
		s->order[s->count++] = (uint32_t)i;
		if (phi_tensor_bytes(&m->tensors[i], &bytes))
			s->total += bytes;
	}
	if (s->source->sequential)
		qsort_r(s->order, s->count, sizeof *s->order, by_arrival, m->tensors);
}

/* A pipe cannot give the same bytes twice to overlapping views. */
static int
settle_overlaps(const struct sum *s, struct phi_err *err)
{
	const struct phi_tensor *const tensors = s->source->model->tensors;
	for (size_t i = 1; s->source->sequential && i < s->count; i++) {
		const struct phi_tensor *const before = &tensors[s->order[i - 1]];
		const struct phi_plane *const p = &before->plane[0], *const q = &tensors[s->order[i]].plane[0];
		uint64_t bytes = 0;
		phi_tensor_bytes(before, &bytes);
		if (p->storage == q->storage && (!p->dense || !q->dense || q->offset - p->offset < bytes))
			return phi_source_settle(s->source, s->options->spool, err);
	}
	return 0;
}

int
phi_sum_tensors(struct phi_source *source, const struct phi_inspect_options *options,
	struct phi_digest *digests, struct phi_err *err)
{
	const struct phi_model *const m = source->model;
	struct sum s = {.source = source, .options = options, .digests = digests,
		.lock = PTHREAD_MUTEX_INITIALIZER};
	s.order = phi_calloc(m->ntensors + 1, sizeof *s.order, err);
	if (!s.order)
		return -1;
	list(&s);
	const struct phi_relay relay = {.ctx = &s, .tickets = s.count,
		.slot_size = sizeof(struct slot), .work = work, .drop = drop};
	const int failed = settle_overlaps(&s, err) ||
		phi_relay_run(&relay, source->sequential ? 1 : options->jobs, err) ||
		phi_source_finish(source, err);
	for (size_t i = 0; i < m->ntensors && !failed; i++)
		if (m->tensors[i].alias != PHI_NONE)
			digests[i] = digests[m->tensors[i].alias];
	phi_free(s.order);
	return failed ? -1 : 0;
}
