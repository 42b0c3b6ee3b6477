/* tokenizer.model out of a vocabulary (sentencepiece.h has its picture), and the merges that tokenizer.json wants
 * instead of scores.
 *
 * A GGUF of Phi's has lost which pieces were control pieces: added tokens are laid over them with the score -1000. What
 * stands among the pieces and is neither normal nor a byte was one, with the score 0. */
#include "formats/core/memory.h"
#include "formats/core/wire.h"
#include "formats/tokenizer/merges.h"
#include "formats/tokenizer/write.h"

#include <stdlib.h>
#include <string.h>

enum { ALGORITHM_BPE = 2 };

static bool
scored(const struct phi_vocabulary *v, uint32_t id)
{
	return v->kinds[id] == PHI_TOKEN_NORMAL || v->kinds[id] == PHI_TOKEN_BYTE ||
		v->kinds[id] == PHI_TOKEN_UNUSED;
}

static uint64_t
kind_of(const struct phi_vocabulary *v, uint32_t id)
{
	if (id == (uint64_t)v->special[PHI_SPECIAL_UNK])
		return PHI_TOKEN_UNKNOWN;
	return scored(v, id) ? (uint64_t)v->kinds[id] : PHI_TOKEN_CONTROL;
}

static int
put_piece(const struct phi_vocabulary *v, uint32_t id, struct phi_buffer *piece, struct phi_buffer *out,
	struct phi_err *err)
{
	const struct phi_string text = v->tokens[id];
	const uint64_t kind = kind_of(v, id);
	piece->size = 0;
	if (phi_wire_put_bytes(piece, 1, text.data, text.size, err) < 0 ||
		phi_wire_put_float(piece, 2, scored(v, id) ? v->scores[id] : 0, err) < 0 ||
		(kind != PHI_TOKEN_NORMAL && phi_wire_put_varint(piece, 3, kind, err) < 0))
		return -1;
	return phi_wire_put_bytes(out, 1, piece->data, piece->size, err);
}

/* An id that is among the pieces, else the library's "none". */
static uint64_t
id_of(const struct phi_vocabulary *v, enum phi_special special, uint32_t n)
{
	const int64_t id = v->special[special];
	return id >= 0 && id < n ? (uint64_t)id : UINT64_MAX;
}

static int
put_training(const struct phi_vocabulary *v, uint32_t n, struct phi_buffer *part, struct phi_buffer *out,
	struct phi_err *err)
{
	part->size = 0;
	return phi_wire_put_varint(part, 3, ALGORITHM_BPE, err) < 0 || phi_wire_put_varint(part, 4, n, err) < 0 ||
			phi_wire_put_varint(part, 35, 1, err) < 0 ||
			phi_wire_put_varint(part, 40, id_of(v, PHI_SPECIAL_UNK, n), err) < 0 ||
			phi_wire_put_varint(part, 41, id_of(v, PHI_SPECIAL_BOS, n), err) < 0 ||
			phi_wire_put_varint(part, 42, id_of(v, PHI_SPECIAL_EOS, n), err) < 0 ||
			phi_wire_put_varint(part, 43, id_of(v, PHI_SPECIAL_PAD, n), err) < 0
		? -1 : phi_wire_put_bytes(out, 2, part->data, part->size, err);
}

static int
put_normalizer(const struct phi_vocabulary *v, struct phi_buffer *part, struct phi_buffer *out, struct phi_err *err)
{
	static const char name[] = "identity";
	part->size = 0;
	return phi_wire_put_bytes(part, 1, name, strlen(name), err) < 0 ||
			phi_wire_put_varint(part, 3, v->space_first != 0, err) < 0 ||
			phi_wire_put_varint(part, 4, 0, err) < 0 || phi_wire_put_varint(part, 5, 1, err) < 0
		? -1 : phi_wire_put_bytes(out, 3, part->data, part->size, err);
}

int
phi_tokenizer_write_pieces(const struct phi_vocabulary *v, struct phi_buffer *out, struct phi_err *err)
{
	const uint32_t n = phi_tokenizer_pieces(v);
	struct phi_buffer part = { 0 };
	int result = 0;
	for (uint32_t i = 0; result == 0 && i < n; i++)
		result = put_piece(v, i, &part, out, err);
	if (result == 0 &&
		(put_training(v, n, &part, out, err) < 0 || put_normalizer(v, &part, out, err) < 0))
		result = -1;
	phi_buffer_free(&part);
	return result;
}

/* A way to make a piece of two: characters and ids for the order. */
struct way {
	uint32_t piece, left, right;
	uint32_t left_size, right_size; /* in characters */
	float score;
};

struct ways {
	const struct phi_vocabulary *v;
	struct phi_names *names;
	struct way *items;
	size_t count, capacity;
};

/* The best score first; among equal ones, as transformers orders them, long left parts, then long right ones first. */
static int
by_worth(const void *a, const void *b)
{
	const struct way *const x = a, *const y = b;
	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	if (x->left_size != y->left_size)
		return x->left_size > y->left_size ? -1 : 1;
	if (x->right_size != y->right_size)
		return x->right_size > y->right_size ? -1 : 1;
	if (x->piece != y->piece)
		return x->piece < y->piece ? -1 : 1;
	return x->left < y->left ? -1 : x->left > y->left;
}

static bool
begins_character(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

static uint32_t
characters(const char *s, size_t n)
{
	uint32_t count = 0;
	for (size_t i = 0; i < n; i++)
		count += begins_character(s[i]);
	return count;
}

static int
find_ways(struct ways *w, uint32_t piece, struct phi_err *err)
{
	const struct phi_string text = w->v->tokens[piece];
	for (size_t i = 1; i < text.size; i++) {
		if (!begins_character(text.data[i]))
			continue;
		const uint32_t left = phi_names_find(w->names, text.data, i);
		const uint32_t right = left == PHI_NONE ? PHI_NONE
			: phi_names_find(w->names, text.data + i, text.size - i);
		if (right == PHI_NONE)
			continue;
		if (phi_grow(&w->items, &w->capacity, w->count, sizeof *w->items, err) < 0)
			return -1;
		w->items[w->count++] = (struct way){ piece, left, right, characters(text.data, i),
			characters(text.data + i, text.size - i), w->v->scores[piece] };
	}
	return 0;
}

static int
collect(struct ways *w, struct phi_err *err)
{
	const uint32_t n = phi_tokenizer_pieces(w->v);
	for (uint32_t i = 0; i < n; i++)
		if (phi_names_add(w->names, w->v->tokens[i].data, w->v->tokens[i].size, i, err) < 0)
			return -1;
	for (uint32_t i = 0; i < n; i++)
		if (w->v->kinds[i] == PHI_TOKEN_NORMAL && find_ways(w, i, err) < 0)
			return -1;
	if (w->count)
		qsort(w->items, w->count, sizeof *w->items, by_worth);
	return 0;
}

static int
spell(const struct ways *w, struct phi_arena *arena, struct phi_string **merges, struct phi_err *err)
{
	*merges = phi_arena_calloc(arena, w->count, sizeof **merges, err);
	for (size_t i = 0; *merges && i < w->count; i++) {
		const struct phi_string a = w->v->tokens[w->items[i].left], b = w->v->tokens[w->items[i].right];
		char *const text = phi_arena_alloc(arena, a.size + b.size + 2, err);
		if (!text)
			return -1;
		memcpy(text, a.data, a.size);
		text[a.size] = ' ';
		memcpy(text + a.size + 1, b.data, b.size);
		text[a.size + 1 + b.size] = '\0';
		(*merges)[i] = (struct phi_string){ text, a.size + b.size + 1 };
	}
	return *merges ? 0 : -1;
}

int
phi_tokenizer_make_merges(const struct phi_vocabulary *v, struct phi_arena *arena, struct phi_string **merges,
	size_t *count, struct phi_err *err)
{
	struct ways w = { .v = v, .names = phi_names_new(err) };
	const int result = w.names && collect(&w, err) == 0 ? spell(&w, arena, merges, err) : -1;
	*count = w.count;
	phi_names_free(w.names);
	phi_free(w.items);
	return result;
}
