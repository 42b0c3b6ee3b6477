/* The values of a model's graphs by name, and which of them are weights: initializers, and outputs of Constants.
 *
 * Graphs within nodes see the values around them, and ONNX wants names to be told apart, so names are those of all graphs
 * together; what is there more than once (in the two branches of an If, say) is nobody's. Functions are not looked
 * into. */
#ifndef PHI_ONNX_VALUES_H
#define PHI_ONNX_VALUES_H

#include "formats/core/names.h"
#include "formats/onnx/graph.h"

struct phi_onnx_values {
	const struct phi_onnx_graph *graph; /* lent */
	PhiOnnx__Graph **scopes; /* the main graph, then those within nodes */
	size_t nscopes, capacity;
	struct phi_names *weights; /* name of a value that is a weight -> its number */
	struct phi_names *taken;   /* names of all values */
	/* Of each weight: */
	uint32_t *owners; /* the scope that it is declared in; PHI_NONE: none of these */
	bool *twice;	  /* its name is there more than once */
};

int phi_onnx_values_find(struct phi_onnx_values *v, const struct phi_onnx_graph *graph, struct phi_err *err);
void phi_onnx_values_free(struct phi_onnx_values *v);

/* The number of the weight that nodes call so; PHI_NONE: none, or more than one value is called so. */
uint32_t phi_onnx_weight_of(const struct phi_onnx_values *v, const char *value);
/* Is this the name of a weight of that scope? */
bool phi_onnx_weight_in(const struct phi_onnx_values *v, const char *value, uint32_t scope);

#endif
