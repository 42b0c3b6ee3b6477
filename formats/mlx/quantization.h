/* "quantization" of config.json: what to expect of the scales of each module, as mlx-lm reads it. */
#ifndef PHI_MLX_QUANTIZATION_H
#define PHI_MLX_QUANTIZATION_H

#include "formats/core/model.h"
#include "formats/mlx/mlx.h"

struct phi_mlx_module {
	const char *path;
	bool off;	/* false: not quantized */
	struct phi_mlx_form form;
	bool seen;
};

struct phi_mlx_quantization {
	bool said; /* there is one */
	struct phi_mlx_form form;
	struct phi_names *names; /* paths -> index into modules */
	struct phi_mlx_module *modules; /* on the heap, paths in the arena */
	size_t count, capacity;
};

/* Reads it from config.json's text into a zeroed struct: nulls and what is absent become what the mode usually has.
 * Unknown modes, forms that no type has: errors. Free it also after a failure. */
int phi_mlx_quantization_read(struct phi_mlx_quantization *quantization, struct phi_arena *arena,
	const char *text, size_t size, struct phi_err *err);
void phi_mlx_quantization_free(struct phi_mlx_quantization *quantization);
/* What is said of a module's path (n bytes): its own entry, else NULL. */
struct phi_mlx_module *phi_mlx_quantization_find(
	const struct phi_mlx_quantization *quantization, const char *path, size_t n);

#endif
