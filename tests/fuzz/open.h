/* Opens fuzzed bytes as a file in memory with one format's open(), reads all it describes. */
#ifndef PHI_TESTS_FUZZ_OPEN_H
#define PHI_TESTS_FUZZ_OPEN_H

#include "formats/core/format.h"
#include "tests/fuzz/memory.h"

typedef struct phi_source *(*fuzz_opener)(
	struct phi_store *store, const struct phi_open_options *options, struct phi_err *err);

/* Every storage from end to end, and the beginning of every tensor through its views. */
static inline void
fuzz_read(struct phi_source *source)
{
	static uint8_t buffer[1 << 16];
	const struct phi_model *const model = source->model;
	struct phi_err err = { 0 };
	if (phi_model_check(model, &err))
		return;
	for (uint32_t i = 0; i < model->nstorages; i++)
		for (uint64_t at = 0; at < model->storages[i].size; at += sizeof buffer) {
			const uint64_t left = model->storages[i].size - at;
			const size_t n = left < sizeof buffer ? (size_t)left : sizeof buffer;
			if (phi_source_read(source, i, at, buffer, n, &err))
				break;
		}
	for (size_t i = 0; i < model->ntensors && !source->sequential; i++) {
		const struct phi_tensor *const t = &model->tensors[i];
		uint64_t n;
		if ((t->nplanes != 1 && !phi_tensor_is_woven(t)) || !phi_tensor_elements(t, &n))
			continue;
		const uint64_t most = sizeof buffer / t->type->bytes * t->type->elements;
		if (n % t->type->elements == 0)
			(void)phi_tensor_read(
				source, t, false, 0, n < most ? n : most, buffer, &err);
	}
}

/* `then`: what follows the reading; or NULL. */
static inline int
fuzz_open_then(const uint8_t *data, size_t size, fuzz_opener open,
	void (*then)(struct phi_source *source))
{
	static const struct phi_spool_options spool = { .refuse = false };
	const struct phi_open_options options = { .size = sizeof options, .spool = &spool };
	const int fd = fuzz_file(data, size);
	struct phi_err err = { 0 };
	struct phi_store *const store = phi_store_open(fuzz_path(fd).text, &spool, &err);
	struct phi_source *const source = store ? open(store, &options, &err) : NULL;
	if (!source && !err.text[0])
		abort(); /* a failure must say what it is */
	if (source)
		fuzz_read(source);
	if (source && then)
		then(source);
	phi_source_close(source);
	phi_store_close(store);
	close(fd);
	return 0;
}

static inline int
fuzz_open(const uint8_t *data, size_t size, fuzz_opener open)
{
	return fuzz_open_then(data, size, open, NULL);
}

#endif
