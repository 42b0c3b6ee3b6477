#include "formats/gguf/quantize.h"

#include "formats/gguf/ftype.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { QUANTIZATION_VERSION = 2 }; /* GGML_QNT_VERSION */

/* Parts of names that are never quantized: norms, routers, small matrices that a model's quality
 * hangs on, tables of indices. Found anywhere in the name. */
static const char *const untouched[] = {
	"_norm.weight",
	"ffn_gate_inp.weight",
	"ffn_gate_tid2eid.weight",
	"altup",
	"laurel",
	"per_layer_model_proj",
	"ssm_conv1d",
	"shortconv.conv.weight",
	"indexer.k_proj.weight",
	"indexer.q_proj.weight",
	"time_mix_first.weight",
	"time_mix_w0.weight",
	"time_mix_w1.weight",
	"time_mix_w2.weight",
	"time_mix_v0.weight",
	"time_mix_v1.weight",
	"time_mix_v2.weight",
	"time_mix_a0.weight",
	"time_mix_a1.weight",
	"time_mix_a2.weight",
	"time_mix_g1.weight",
	"time_mix_g2.weight",
	"time_mix_decay_w1.weight",
	"time_mix_decay_w2.weight",
	"time_mix_lerp_fused.weight",
	"attn_rel_b.weight",
	".position_embd",
	"sam.pos_embd",
	"sam.neck.",
	"sam.net_",
	".rel_pos",
	".patch_embd",
	".patch_merger",
	"a.rvq.codebook",
	"mm.a.code_embd",
};

/* ggml's count of dimensions: leading ones of our shape do not count, one remains. */
static unsigned
leading_ones(const struct phi_tensor *t)
{
	unsigned n = 0;
	while (n + 1 < t->rank && t->shape[n] == 1)
		n++;
	return n;
}

bool
phi_gguf_quantizable(const struct phi_tensor *t)
{
	const size_t size = strlen(t->name);
	if (t->rank - leading_ones(t) < 2)
		return false;
	/* llama-quantize compares rfind("weight") with size - 6, which is "not found" for five
	 * letters. */
	if (size != 5 && (size < 6 || strcmp(t->name + size - 6, "weight")))
		return false;
	if (!strcmp(t->name, "position_embd.weight") || !strcmp(t->name, "token_types.weight"))
		return false;
	for (size_t i = 0; i < sizeof untouched / sizeof *untouched; i++)
		if (strstr(t->name, untouched[i]))
			return false;
	return true;
}

/* What llama-quantize takes a tensor for, by its name: the first of these that fits. */
static const struct {
	enum phi_role role;
	bool whole; /* the name is this; else it is somewhere in it */
	const char *name;
} roles[] = {
	{ PHI_ROLE_OUTPUT, true, "output.weight" },
	{ PHI_ROLE_EMBEDDING, true, "token_embd.weight" },
	{ PHI_ROLE_EMBEDDING, true, "per_layer_token_embd.weight" },
	{ PHI_ROLE_ATTN_QKV, false, "attn_qkv.weight" },
	{ PHI_ROLE_ATTN_KV_B, false, "attn_kv_b.weight" },
	{ PHI_ROLE_ATTN_V, false, "attn_v.weight" },
	{ PHI_ROLE_ATTN_K, false, "attn_k.weight" },
	{ PHI_ROLE_ATTN_Q, false, "attn_q.weight" },
	{ PHI_ROLE_ATTN_OUTPUT, false, "attn_output.weight" },
	{ PHI_ROLE_FFN_UP, false, "ffn_up" },
	{ PHI_ROLE_FFN_GATE, false, "ffn_gate" },
	{ PHI_ROLE_FFN_DOWN, false, "ffn_down" },
};

/* A family says more (a fused gate and up), and then the same. */
static void
name_role(struct phi_tensor *t)
{
	for (size_t i = 0; t->role == PHI_ROLE_NONE && i < sizeof roles / sizeof *roles; i++)
		if (roles[i].whole ? !strcmp(t->name, roles[i].name)
				   : strstr(t->name, roles[i].name) != NULL)
			t->role = roles[i].role;
}

/* The N of "blk.N", as sscanf("blk.%d.") reads it: without it -1. */
static int
layer_of(const char *name)
{
	if (strncmp(name, "blk.", 4))
		return -1;
	const char *digits = name + 4;
	char *end;
	while (*digits == ' ' || (*digits >= '\t' && *digits <= '\r'))
		digits++;
	const long n = strtol(digits, &end, 10);
	if (end == digits)
		return -1;
	return n > INT_MAX ? INT_MAX : n < INT_MIN ? INT_MIN : (int)n;
}

static int
by_layer(const void *a, const void *b)
{
	const struct phi_tensor *const x = a, *const y = b;
	const int i = layer_of(x->name), j = layer_of(y->name);
	if (i != j)
		return i < j ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* Parts count rows of the origin's shape, which keeps its ones. */
static void
drop_leading_ones(struct phi_tensor *t)
{
	const unsigned n = leading_ones(t);
	if (!n)
		return;
	memmove(t->shape, t->shape + n, (t->rank - n) * sizeof *t->shape);
	t->rank -= n;
}

/* A key that is set anew moves to the end, as with ggml's setters. */
static int
set_number(struct phi_model *model, const char *key, uint32_t n, struct phi_err *err)
{
	phi_metadata_remove(&model->metadata, key);
	return phi_metadata_add_u32(&model->metadata, model->arena, key, n, err);
}

/* llama-quantize's overrides hold 127 bytes. */
static int
set_text(struct phi_model *model, const char *key, const char *text, struct phi_err *err)
{
	char cut[128];
	snprintf(cut, sizeof cut, "%s", text);
	phi_metadata_remove(&model->metadata, key);
	return phi_metadata_add_string(&model->metadata, model->arena, key, cut, err);
}

static int
set_importance(struct phi_model *model, const struct phi_importance_note *note, struct phi_err *err)
{
	if (set_text(model, "quantize.imatrix.file", note->file, err) ||
		(note->dataset &&
			set_text(model, "quantize.imatrix.dataset", note->dataset, err)) ||
		set_number(model, "quantize.imatrix.entries_count", (uint32_t)note->entries, err))
		return -1;
	return note->chunks ? set_number(model, "quantize.imatrix.chunks_count",
				      (uint32_t)note->chunks, err)
			    : 0;
}

static int
set_keys(struct phi_model *model, uint32_t ftype, const struct phi_importance_note *note,
	struct phi_err *err)
{
	static const char *const gone[] = { "split.no", "split.count", "split.tensors.count" };
	for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
		phi_metadata_remove(&model->metadata, gone[i]);
	if (set_number(model, "general.quantization_version", QUANTIZATION_VERSION, err) ||
		set_number(model, "general.file_type", ftype, err))
		return -1;
	return note ? set_importance(model, note, err) : 0;
}

/* llama-quantize passes strings on up to their first NUL. */
static void
end_string(struct phi_string *s)
{
	s->size = strnlen(s->data, s->size);
}

static int
end_strings(struct phi_model *model, struct phi_err *err)
{
	for (size_t i = 0; i < model->metadata.count; i++) {
		struct phi_value *const v = &model->metadata.items[i].value;
		if (v->kind == PHI_VALUE_STRING)
			end_string(&v->s);
		if (v->kind != PHI_VALUE_ARRAY || v->array.kind != PHI_VALUE_STRING)
			continue;
		const size_t n = (size_t)v->array.count;
		struct phi_string *const copy =
			phi_arena_calloc(model->arena, n, sizeof *copy, err);
		if (!copy)
			return -1;
		if (n)
			memcpy(copy, v->array.data, n * sizeof *copy);
		for (size_t k = 0; k < n; k++)
			end_string(&copy[k]);
		v->array.data = copy;
	}
	return 0;
}

/* llama.cpp's guess where a file does not say what it is: the type that most tensors have, the
 * first to be the most; a flag says that it was guessed. */
static uint32_t
guess_ftype(const struct phi_model *model)
{
	enum { GUESSED = 1024 };
	unsigned counts[PHI_TYPES] = { 0 }, most = 0;
	const struct phi_type *type = phi_type_of(PHI_F32);
	for (size_t i = 0; i < model->ntensors; i++) {
		const struct phi_type *const t = model->tensors[i].type;
		if (++counts[t->id] <= most)
			continue;
		most = counts[t->id];
		type = t;
	}
	const struct phi_gguf_ftype *const ftype = phi_gguf_ftype_named(type->name);
	return GUESSED | (ftype ? ftype->id : 0);
}

/* The file type of a copy: what the source says, or the guess. The tensors are in their final
 * order. */
static uint32_t
copied_ftype(const struct phi_model *model)
{
	uint64_t n;
	const struct phi_value *const v = phi_metadata_find(&model->metadata, "general.file_type");
	return v && phi_value_u64(v, &n) && n <= UINT32_MAX ? (uint32_t)n : guess_ftype(model);
}

int
phi_gguf_as_quantized(struct phi_model *lowered, uint32_t ftype,
	const struct phi_lower_options *options, struct phi_err *err)
{
	for (size_t i = 0; i < lowered->ntensors; i++) {
		struct phi_tensor *const t = &lowered->tensors[i];
		t->fixed = !phi_gguf_quantizable(t);
		t->layer = layer_of(t->name);
		name_role(t);
		t->alias = PHI_NONE; /* an index that sorting makes void; GGUF has no aliases */
		drop_leading_ones(t);
	}
	if (lowered->ntensors && !(options && options->keep_order))
		qsort(lowered->tensors, lowered->ntensors, sizeof *lowered->tensors, by_layer);
	if (ftype == PHI_GGUF_FTYPE_COPY)
		ftype = copied_ftype(lowered);
	if (options && options->faults && end_strings(lowered, err))
		return -1;
	return set_keys(lowered, ftype, options ? options->importance : NULL, err);
}
