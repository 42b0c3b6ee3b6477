#include "formats/core/buffer.h"
#include "formats/onnx/read.h"

#include <inttypes.h>
#include <string.h>

static int
spell_shape(const PhiOnnx__TensorType *t, struct phi_buffer *out, struct phi_err *err)
{
	if (!t->shape)
		return phi_buffer_printf(out, err, " of any rank");
	if (phi_buffer_printf(out, err, " [") < 0)
		return -1;
	for (size_t i = 0; i < t->shape->n_dim; i++) {
		const PhiOnnx__Dimension *const d = t->shape->dim[i];
		const char *const comma = i ? ", " : "";
		const int result = d->has_dim_value
			? phi_buffer_printf(out, err, "%s%" PRId64, comma, d->dim_value)
			: phi_buffer_printf(out, err, "%s%s", comma, d->dim_param && *d->dim_param ? d->dim_param : "?");
		if (result < 0)
			return -1;
	}
	return phi_buffer_printf(out, err, "]");
}

static int
spell_tensor(const PhiOnnx__TensorType *t, const char *before, struct phi_buffer *out, struct phi_err *err)
{
	const char *const name = phi_onnx_type_name(t->elem_type);
	return phi_buffer_printf(out, err, "%s%s", before, name ? name : "?") < 0 ||
			       spell_shape(t, out, err) < 0
		       ? -1
		       : 0;
}

/* Sequences and optionals of each other: a loop, no deeper than the scanner lets them be. */
int
phi_onnx_spell_type(const PhiOnnx__Type *type, struct phi_buffer *out, struct phi_err *err)
{
	while (type) {
		if (type->tensor_type)
			return spell_tensor(type->tensor_type, "", out, err);
		if (type->sparse_tensor_type)
			return spell_tensor(type->sparse_tensor_type, "sparse ", out, err);
		const char *const what = type->sequence_type ? "sequence of "
			: type->optional_type		     ? "optional "
			: type->map_type		     ? "map to "
							     : NULL;
		if (!what)
			break;
		if (phi_buffer_printf(out, err, "%s", what) < 0)
			return -1;
		type = type->sequence_type ? type->sequence_type->elem_type
			: type->optional_type ? type->optional_type->elem_type : type->map_type->value_type;
	}
	return phi_buffer_printf(out, err, "?");
}

static int
add_text(struct phi_model *model, const char *key, const char *text, struct phi_err *err)
{
	return !text || !*text ? 0 : phi_metadata_add_string(&model->metadata, model->arena, key, text, err);
}

static int
add_number(struct phi_model *model, const char *key, int64_t n, struct phi_err *err)
{
	return phi_metadata_add(&model->metadata, model->arena, key,
		(struct phi_value){ .kind = PHI_VALUE_I64, .i = n }, err);
}

static int
add_values(struct phi_model *model, const char *kind, PhiOnnx__ValueInfo *const *values, size_t n,
	struct phi_err *err)
{
	struct phi_buffer text = { 0 };
	int result = 0;
	for (size_t i = 0; !result && i < n; i++) {
		const char *const key = phi_arena_printf(model->arena, err, "onnx.%s.%s", kind,
			values[i]->name ? values[i]->name : "");
		text.size = 0;
		result = key ? phi_onnx_spell_type(values[i]->type, &text, err) : -1;
		char *const kept = result ? NULL : phi_arena_copy(model->arena, text.data, text.size, err);
		result = kept ? add_text(model, key, kept, err) : -1;
	}
	phi_buffer_free(&text);
	return result;
}

static int
add_entries(struct phi_model *model, PhiOnnx__Entry *const *entries, size_t n, struct phi_err *err)
{
	for (size_t i = 0; i < n; i++) {
		const char *const key = phi_arena_printf(model->arena, err, "onnx.metadata.%s",
			entries[i]->key ? entries[i]->key : "");
		if (!key || phi_metadata_add_string(&model->metadata, model->arena, key,
				    entries[i]->value ? entries[i]->value : "", err) < 0)
			return -1;
	}
	return 0;
}

int
phi_onnx_keys(struct phi_model *model, const PhiOnnx__Model *m, struct phi_err *err)
{
	if ((m->has_ir_version && add_number(model, "onnx.ir_version", m->ir_version, err) < 0) ||
		add_text(model, "onnx.producer_name", m->producer_name, err) < 0 ||
		add_text(model, "onnx.producer_version", m->producer_version, err) < 0 ||
		add_text(model, "onnx.domain", m->domain, err) < 0 ||
		(m->has_model_version && add_number(model, "onnx.model_version", m->model_version, err) < 0) ||
		add_text(model, "onnx.doc_string", m->doc_string, err) < 0)
		return -1;
	for (size_t i = 0; i < m->n_opset_import; i++) {
		const char *const domain = m->opset_import[i]->domain;
		const char *const key = phi_arena_printf(model->arena, err, "onnx.opset.%s",
			domain && *domain ? domain : "ai.onnx");
		if (!key || add_number(model, key, m->opset_import[i]->version, err) < 0)
			return -1;
	}
	if (add_text(model, "onnx.graph", m->graph->name, err) < 0 ||
		add_number(model, "onnx.nodes", (int64_t)m->graph->n_node, err) < 0 ||
		(m->n_functions && add_number(model, "onnx.functions", (int64_t)m->n_functions, err) < 0) ||
		add_values(model, "input", m->graph->input, m->graph->n_input, err) < 0 ||
		add_values(model, "output", m->graph->output, m->graph->n_output, err) < 0)
		return -1;
	return add_entries(model, m->metadata_props, m->n_metadata_props, err);
}
