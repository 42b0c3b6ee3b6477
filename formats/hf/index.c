#include "formats/hf/index.h"

#include "formats/core/escape.h"
#include "formats/core/json_reader.h"
#include "formats/core/limits.h"
#include "formats/core/memory.h"

#include <stdlib.h>
#include <string.h>

enum { FILES_MAX = 100000 }; /* names are model-00001-of-99999 */

struct parser {
	struct phi_json_reader json;
	struct phi_arena *arena;
	struct phi_hf_index *index;
	struct phi_names *files; /* -> index into index->files, before sorting */
};

void
phi_hf_index_free(struct phi_hf_index *index)
{
	phi_names_free(index->names);
	phi_free(index->entries);
	phi_free(index->files);
	*index = (struct phi_hf_index){ 0 };
}

/* The key or string just read, in the arena; refused if it holds a NUL or is too long. */
static const char *
take_text(struct parser *p, struct phi_err *err)
{
	const size_t raw = p->json.raw_size;
	if (raw > 6 * PHI_NAME_MAX) {
		phi_fail(err, PHI_LIMIT, "JSON byte %zu: name longer than %d bytes", p->json.offset,
			PHI_NAME_MAX);
		return NULL;
	}
	char *const text = phi_arena_alloc(p->arena, raw + 1, err);
	if (!text)
		return NULL;
	const size_t n = phi_json_unescape(&p->json, text);
	text[n] = '\0';
	if (strlen(text) == n && n <= PHI_NAME_MAX)
		return text;
	phi_fail(err, PHI_FORMAT, "JSON byte %zu: not a name", p->json.offset);
	return NULL;
}

/* Beside the index, and not a hidden file or another index. */
static bool
is_plain(const char *name)
{
	const size_t n = strlen(name);
	return n && name[0] != '.' && !strchr(name, '/') && !strchr(name, '\\') &&
		!(n >= 5 && !strcmp(name + n - 5, ".json"));
}

static int
file_number(struct parser *p, const char *name, uint32_t *number, struct phi_err *err)
{
	struct phi_hf_index *const index = p->index;
	struct phi_quoted q;
	*number = phi_names_find(p->files, name, strlen(name));
	if (*number != PHI_NONE)
		return 0;
	if (!is_plain(name))
		return phi_fail(err, PHI_FORMAT, "\"%s\" is no file beside the index",
			phi_quote(&q, name));
	if (index->nfiles == FILES_MAX)
		return phi_fail(err, PHI_LIMIT, "more than %d files", FILES_MAX);
	*number = (uint32_t)index->nfiles;
	if (phi_grow(&index->files, &index->files_capacity, index->nfiles, sizeof *index->files,
		    err) ||
		phi_names_add(p->files, name, strlen(name), *number, err))
		return -1;
	index->files[index->nfiles++] = name;
	return 0;
}

static int
parse_map(struct parser *p, struct phi_err *err)
{
	struct phi_hf_index *const index = p->index;
	struct phi_quoted q;
	if (phi_json_expect(&p->json, PHI_JSON_OBJECT, "'{' of the weight map", err))
		return -1;
	for (;;) {
		if (phi_json_next(&p->json, err))
			return -1;
		if (p->json.token == PHI_JSON_OBJECT_END)
			return 0;
		const char *const tensor = take_text(p, err);
		if (!tensor)
			return -1;
		if (index->count == PHI_TENSORS_MAX)
			return phi_fail(err, PHI_LIMIT, "more than %d tensors", PHI_TENSORS_MAX);
		const int there = phi_names_add(index->names, tensor, strlen(tensor),
			(uint32_t)index->count, err);
		if (there > 0)
			return phi_fail(err, PHI_FORMAT, "tensor %s: occurs twice",
				phi_quote(&q, tensor));
		struct phi_hf_entry entry = { .tensor = tensor };
		if (there < 0 ||
			phi_json_expect(&p->json, PHI_JSON_STRING, "a file name", err))
			return -1;
		const char *const file = take_text(p, err);
		if (!file || file_number(p, file, &entry.file, err) ||
			phi_grow(&index->entries, &index->capacity, index->count,
				sizeof *index->entries, err))
			return -1;
		index->entries[index->count++] = entry;
	}
}

static bool
key_is(const struct phi_json_reader *json, const char *key)
{
	return !json->escaped && json->raw_size == strlen(key) &&
		!memcmp(json->raw, key, json->raw_size);
}

static int
parse_index(struct parser *p, struct phi_err *err)
{
	struct phi_json_reader *const json = &p->json;
	bool found = false;
	if (phi_json_expect(json, PHI_JSON_OBJECT, "'{'", err))
		return -1;
	for (;;) {
		if (phi_json_next(json, err))
			return -1;
		if (json->token == PHI_JSON_OBJECT_END)
			break;
		const bool map = key_is(json, "weight_map");
		if (map && found)
			return phi_fail(err, PHI_FORMAT, "weight_map occurs twice");
		found |= map;
		if (map ? parse_map(p, err) : phi_json_next(json, err) || phi_json_skip(json, err))
			return -1;
	}
	if (!found)
		return phi_fail(err, PHI_FORMAT, "weight_map is missing");
	return phi_json_next(json, err);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorts the files and renumbers the entries. */
static int
sort_files(struct parser *p, struct phi_err *err)
{
	struct phi_hf_index *const index = p->index;
	uint32_t *const place = phi_calloc(index->nfiles, sizeof *place, err);
	if (!place)
		return -1;
	if (index->nfiles)
		qsort(index->files, index->nfiles, sizeof *index->files, by_name);
	for (uint32_t i = 0; i < index->nfiles; i++)
		place[phi_names_find(p->files, index->files[i], strlen(index->files[i]))] = i;
	for (size_t i = 0; i < index->count; i++)
		index->entries[i].file = place[index->entries[i].file];
	phi_free(place);
	return 0;
}

int
phi_hf_index_parse(struct phi_hf_index *index, struct phi_arena *arena, const char *text,
	size_t size, struct phi_err *err)
{
	struct parser p = { .arena = arena, .index = index };
	phi_json_reader_init(&p.json, text, size);
	index->names = phi_names_new(err);
	p.files = phi_names_new(err);
	const int result = index->names && p.files && !parse_index(&p, err) && !sort_files(&p, err)
		? 0
		: -1;
	phi_names_free(p.files);
	return result;
}
