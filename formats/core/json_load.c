#include "formats/core/json_load.h"

#include "formats/core/memory.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
	PIECE = 128, /* bytes of text jansson is given at a time: what it may still read when starved */
	SLACK = 64 << 10, /* for the values in such a piece, some hundred bytes each */
	TOKENS = 8, /* a buffer doubling from 16 takes 4 tokens in all; value and key are copied */
};

struct load {
	const char *text;
	size_t size, at;
	char *reserve;
	size_t reserve_size, used;
	bool starved;
};

/* The parse under way on this thread, or NULL. */
static _Thread_local struct load *current;

static void *
allocate(size_t n)
{
	struct load *const l = current;
	void *const p = l && l->starved ? NULL : phi_alloc(n, NULL);
	if (p || !l)
		return p;
	l->starved = true;
	const size_t rounded = (n + 15) & ~(size_t)15;
	if (rounded < n || rounded > l->reserve_size - l->used)
		return NULL;
	l->used += rounded;
	return l->reserve + l->used - rounded;
}

/* A tree that used the reserve is freed before the parse returns. */
static void
release(void *p)
{
	const struct load *const l = current;
	const uintptr_t at = (uintptr_t)p, start = l ? (uintptr_t)l->reserve : 0;
	if (!l || at < start || at >= start + l->reserve_size)
		phi_free(p);
}

static void
install_allocator(void)
{
	json_set_alloc_funcs(allocate, release);
}

static size_t
feed(void *dst, size_t n, void *ctx)
{
	struct load *const l = ctx;
	const size_t left = l->starved ? 0 : l->size - l->at;
	if (n > PIECE)
		n = PIECE;
	if (n > left)
		n = left;
	memcpy(dst, l->text + l->at, n);
	l->at += n;
	return n;
}

json_t *
phi_json_load(const char *text, size_t size, size_t flags, size_t token, json_error_t *error)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, install_allocator);
	*error = (json_error_t){ 0 };
	struct load l = { .text = text, .size = size };
	if (__builtin_mul_overflow(token, (size_t)TOKENS, &l.reserve_size) ||
		__builtin_add_overflow(l.reserve_size, (size_t)SLACK, &l.reserve_size))
		return NULL;
	l.reserve = phi_alloc(l.reserve_size, NULL);
	if (!l.reserve)
		return NULL;
	current = &l;
	json_t *json = json_load_callback(feed, &l, flags, error);
	if (l.starved) {
		json_decref(json);
		json = NULL;
		*error = (json_error_t){ 0 };
	}
	current = NULL;
	phi_free(l.reserve);
	return json;
}
