#include "formats/gguf/split.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char key_number[] = "split.no", key_count[] = "split.count",
		  key_tensors[] = "split.tensors.count";

/* *v stays as it is where there is no such key. */
static int
read_key(const struct phi_metadata *metadata, const char *key, uint64_t *v, bool *has,
	struct phi_err *err)
{
	const struct phi_value *const value = phi_metadata_find(metadata, key);
	*has = value != NULL;
	if (value && !phi_value_u64(value, v))
		return phi_fail(err, PHI_FORMAT, "key %s is no count", key);
	return 0;
}

int
phi_gguf_split_read(
	const struct phi_metadata *metadata, struct phi_gguf_split *split, struct phi_err *err)
{
	bool has;
	*split = (struct phi_gguf_split){ 0 };
	if (read_key(metadata, key_number, &split->number, &has, err) ||
		read_key(metadata, key_count, &split->count, &has, err) ||
		read_key(metadata, key_tensors, &split->tensors, &split->has_tensors, err))
		return -1;
	if (split->count <= 1) {
		*split = (struct phi_gguf_split){ 0 };
		return 0;
	}
	if (split->number >= split->count)
		return phi_fail(err, PHI_FORMAT, "is part %" PRIu64 " of %" PRIu64,
			split->number + 1, split->count);
	return 0;
}

void
phi_gguf_split_forget(struct phi_metadata *metadata)
{
	phi_metadata_remove(metadata, key_number);
	phi_metadata_remove(metadata, key_count);
	phi_metadata_remove(metadata, key_tensors);
}

int
phi_gguf_split_add(struct phi_metadata *metadata, struct phi_arena *arena,
	const struct phi_gguf_split *split, struct phi_err *err)
{
	const struct phi_value number = { .kind = PHI_VALUE_U16, .u = split->number },
			       count = { .kind = PHI_VALUE_U16, .u = split->count },
			       tensors = { .kind = PHI_VALUE_I32, .i = (int64_t)split->tensors };
	return phi_metadata_add(metadata, arena, key_number, number, err) ||
			phi_metadata_add(metadata, arena, key_count, count, err) ||
			phi_metadata_add(metadata, arena, key_tensors, tensors, err)
		? -1
		: 0;
}

/* "-00001-of-00003" */
static int
ending(char *dst, size_t size, uint64_t number, uint64_t count)
{
	return snprintf(dst, size, "-%05" PRIu64 "-of-%05" PRIu64, number + 1, count);
}

/* The length of `name` before the ending of a first part and `suffix`, or -1. */
static int
stem(const char *name, uint64_t count, const char *suffix)
{
	char tail[64];
	const int n = ending(tail, sizeof tail, 0, count);
	snprintf(tail + n, sizeof tail - (size_t)n, "%s", suffix);
	const size_t whole = strlen(name), cut = strlen(tail);
	return whole > cut && !strcmp(name + whole - cut, tail) ? (int)(whole - cut) : -1;
}

const char *
phi_gguf_split_path(struct phi_arena *arena, const char *path, uint64_t number, uint64_t count,
	struct phi_err *err)
{
	char tail[64];
	const int n = stem(path, count, ".gguf");
	if (n < 0)
		return NULL;
	ending(tail, sizeof tail, number, count);
	return phi_arena_printf(arena, err, "%.*s%s.gguf", n, path, tail);
}

const char *
phi_gguf_split_name(struct phi_arena *arena, const char *output, uint64_t number, uint64_t count,
	struct phi_err *err)
{
	static const char suffix[] = ".gguf";
	char tail[64];
	size_t n = strlen(output);
	const size_t m = strlen(suffix);
	if (n > m && !strcmp(output + n - m, suffix))
		n -= m;
	ending(tail, sizeof tail, number, count);
	return phi_arena_printf(arena, err, "%.*s%s%s", (int)n, output, tail, suffix);
}

const char *
phi_gguf_split_base(struct phi_arena *arena, const char *base, uint64_t count, struct phi_err *err)
{
	const int n = stem(base, count, "");
	return n < 0 ? phi_arena_strdup(arena, base, err)
		     : phi_arena_printf(arena, err, "%.*s", n, base);
}
