/* Any text as model.json: refused, or parsed, and then written and parsed again to the same model. The
 * tar around it has checksums that stop a fuzzer; here there is none. */
#include "formats/core/buffer.h"
#include "formats/core/memory.h"
#include "formats/stream/model_text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
gather(void *ctx, const void *bytes, size_t n, struct phi_err *err)
{
	return phi_buffer_append(ctx, bytes, n, err);
}

static void
must(bool true_or_bug)
{
	if (!true_or_bug)
		abort();
}

static struct phi_buffer
write_text(struct phi_model *model, const struct phi_metadata *metadata)
{
	struct phi_buffer text = { 0 };
	const struct phi_stream_taker taker = { .take = gather, .ctx = &text };
	uint64_t size;
	bool *const known = phi_calloc(metadata->count + 1, 1, NULL);
	model->metadata = *metadata;
	must(!phi_stream_model_write(model, known, &taker, NULL));
	must(!phi_stream_model_size(model, known, &size, NULL) && size == text.size);
	phi_free(known);
	return text;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct phi_err err = { 0 };
	struct phi_model *const a = phi_model_new("stream", &err);
	struct phi_model *const b = phi_model_new("stream", &err);
	struct phi_metadata ma = { 0 }, mb = { 0 };
	if (phi_stream_model_parse(a, &ma, (const char *)data, size, &err)) {
		must(err.kind != PHI_OK && err.text[0] && !strchr(err.text, '\n'));
	} else {
		struct phi_buffer once = write_text(a, &ma);
		must(!phi_stream_model_parse(b, &mb, (const char *)once.data, once.size, &err));
		struct phi_buffer twice = write_text(b, &mb);
		must(once.size == twice.size && !memcmp(once.data, twice.data, once.size));
		phi_buffer_free(&once);
		phi_buffer_free(&twice);
	}
	phi_model_free(a);
	phi_model_free(b);
	return 0;
}
