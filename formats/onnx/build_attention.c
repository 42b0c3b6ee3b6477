/* Attention, with the numbers it is told and the cache it keeps: GroupQueryAttention rotates queries and keys itself where
 * it can, else RotaryEmbedding does before it.
 *
 *     qkv                  -> GroupQueryAttention(past, lengths, cos, sin) -> o, present
 *     q, k -> RotaryEmbedding(places, cos, sin)
 *     q, k, v              -> GroupQueryAttention(past, lengths)           -> o, present
 */
#include "formats/onnx/build_decoder.h"
#include "formats/onnx/data.h"

#include <math.h>

/* What attention is told of lengths: of each sequence its last place, and the longest. */
void
phi_onnx_lengths(struct phi_onnx_decoder *d)
{
	struct phi_onnx_build *const b = &d->b;
#define MASK "/model/attn_mask_reformat/attn_mask_subgraph/"
	const char *const axes = phi_onnx_ints(b, "/model/constants/INT64/[1]", (const int64_t[]){ 1 }, 1, false);
	const char *const one = phi_onnx_ints(b, "/model/constants/INT64/1", (const int64_t[]){ 1 }, 1, true);
	const char *v = phi_onnx_node(b, "ReduceSum", MASK "ReduceSum",
		(const char *const[]){ "attention_mask", axes, NULL });
	phi_onnx_int(b, "keepdims", 0);
	v = phi_onnx_node(b, "Sub", MASK "Sub", (const char *const[]){ v, axes, NULL });
	d->lengths = phi_onnx_node(b, "Cast", MASK "Sub/Cast", (const char *const[]){ v, NULL });
	phi_onnx_int(b, "to", phi_onnx_type_number(phi_type_of(PHI_I32)));
	v = phi_onnx_node(b, "Shape", MASK "Shape", (const char *const[]){ "attention_mask", NULL });
	d->extent = phi_onnx_node(b, "Gather", MASK "Gather", (const char *const[]){ v, one, NULL });
	phi_onnx_int(b, "axis", 0);
	d->total = phi_onnx_node(b, "Cast", MASK "Gather/Cast", (const char *const[]){ d->extent, NULL });
	phi_onnx_int(b, "to", phi_onnx_type_number(phi_type_of(PHI_I32)));
#undef MASK
}

static const char *
rotated(struct phi_onnx_decoder *d, const char *path, const char *name, const char *x, uint32_t heads)
{
	struct phi_onnx_build *const b = &d->b;
	const bool whole = d->h.rotary == d->h.head_dim;
	const char *const y = phi_onnx_node(b, "com.microsoft:RotaryEmbedding",
		phi_onnx_text(b, "%s/%s/RotaryEmbedding", path, name),
		(const char *const[]){ x, d->places, d->cos, d->sin, NULL });
	phi_onnx_int(b, "interleaved", 0);
	phi_onnx_int(b, "num_heads", whole ? 0 : heads);
	phi_onnx_int(b, "rotary_embedding_dim", whole ? 0 : d->h.rotary);
	return y;
}

const char *
phi_onnx_attention(struct phi_onnx_decoder *d, const struct phi_op *op, const char *module)
{
	struct phi_onnx_build *const b = &d->b;
	const struct phi_hparams *const h = &d->h;
	const bool outside = d->rotates_outside;
	const char *const path = phi_onnx_path(d, module);
	const char *q = phi_onnx_value(d, op, 0), *k = phi_onnx_value(d, op, 1);
	const char *const past_key = phi_onnx_text(b, "past_key_values.%d.key", op->layer);
	const char *const past_value = phi_onnx_text(b, "past_key_values.%d.value", op->layer);
	if (outside && !*k) {
		phi_onnx_refuse(d, "queries and keys are rows of one tensor here, and cannot be rotated one by one");
		return "";
	}
	if (outside) {
		q = rotated(d, path, "q_rotary", q, h->heads);
		k = rotated(d, path, "k_rotary", k, h->kv_heads);
	}
	const char *const y = phi_onnx_node(b, "com.microsoft:GroupQueryAttention",
		phi_onnx_text(b, "%s/GroupQueryAttention", path),
		(const char *const[]){ q, k, phi_onnx_value(d, op, 2), past_key, past_value, d->lengths, d->total,
			outside ? NULL : d->cos, d->sin, NULL });
	phi_onnx_node_output(b, phi_onnx_text(b, "present.%d.key", op->layer));
	phi_onnx_node_output(b, phi_onnx_text(b, "present.%d.value", op->layer));
	phi_onnx_int(b, "num_heads", h->heads);
	phi_onnx_int(b, "kv_num_heads", h->kv_heads);
	phi_onnx_float(b, "scale", 1 / sqrt(h->head_dim));
	phi_onnx_int(b, "local_window_size",
		h->sliding_window && h->sliding_window < h->context ? (int64_t)h->sliding_window : -1);
	phi_onnx_float(b, "softcap", 0);
	phi_onnx_int(b, "do_rotary", !outside);
	phi_onnx_int(b, "rotary_interleaved", 0);
	return y;
}

