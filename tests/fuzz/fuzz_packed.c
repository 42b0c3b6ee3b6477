/* A safetensors file of any bytes, looked at as a packed checkpoint: members become packed tensors or
 * stay, and what became one is decoded at both its ends. */
#include "formats/packed/packed.h"
#include "formats/safetensors/read.h"
#include "quant/unpack.h"
#include "tests/fuzz/open.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PART = 4096 };

static void
unpack(struct phi_source *source)
{
	static float values[PART];
	struct phi_err err = { 0 };
	if (phi_model_check(source->model, &err))
		return;
	if (phi_packed_view(source, NULL, &err)) {
		if (!err.text[0])
			abort();
		return;
	}
	for (size_t i = 0; i < source->model->ntensors; i++) {
		const struct phi_tensor *const t = &source->model->tensors[i];
		uint64_t n;
		if (!t->packed)
			continue;
		if (!phi_tensor_elements(t, &n) || n != t->packed->elements)
			abort();
		const uint64_t part = n < PART ? n : PART;
		(void)phi_tensor_unpack(source, t, phi_unpack, 0, part, values, &err);
		(void)phi_tensor_unpack(source, t, phi_unpack, n - part, part, values, &err);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_open_then(data, size, phi_safetensors_open, unpack);
}
