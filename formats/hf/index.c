#include "formats/hf/index.h"

#include "formats/core/escape.h"
#include "formats/core/json.h"
#include "formats/core/limits.h"
#include "formats/core/memory.h"

#include <stdlib.h>
#include <string.h>

enum { FILES_MAX = 100000 }; /* names are model-00001-of-99999 */

struct parser {
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
		return phi_fail(
			err, PHI_FORMAT, "\"%s\" is no file beside the index", phi_quote(&q, name));
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
add_entry(struct parser *p, const char *key, const json_t *value, struct phi_err *err)
{
	struct phi_hf_index *const index = p->index;
	const char *const name = json_string_value(value);
	struct phi_hf_entry entry = { .tensor = NULL };
	struct phi_quoted q;
	if (!name || strlen(name) != json_string_length(value) || strlen(name) > PHI_NAME_MAX)
		return phi_fail(err, PHI_FORMAT, "tensor %s: not a file name", phi_quote(&q, key));
	if (index->count == PHI_TENSORS_MAX)
		return phi_fail(err, PHI_LIMIT, "more than %d tensors", PHI_TENSORS_MAX);
	entry.tensor = phi_arena_strdup(p->arena, key, err);
	const char *const file = entry.tensor ? phi_arena_strdup(p->arena, name, err) : NULL;
	if (!file || file_number(p, file, &entry.file, err) ||
		phi_names_add(index->names, entry.tensor, strlen(entry.tensor),
			(uint32_t)index->count, err) ||
		phi_grow(&index->entries, &index->capacity, index->count, sizeof *index->entries,
			err))
		return -1;
	index->entries[index->count++] = entry;
	return 0;
}

/* jansson has refused double names and names with a NUL. */
static int
parse_index(struct parser *p, const json_t *root, struct phi_err *err)
{
	json_t *const map = json_object_get(root, "weight_map");
	const json_t *const total = json_object_get(json_object_get(root, "metadata"), "total_size");
	const char *key;
	json_t *value;
	if (!json_is_object(map))
		return phi_fail(err, PHI_FORMAT, "weight_map is missing");
	if (json_is_integer(total) && json_integer_value(total) >= 0) {
		p->index->has_total = true;
		p->index->total = (uint64_t)json_integer_value(total);
	}
	json_object_foreach(map, key, value) if (add_entry(p, key, value, err)) return -1;
	return 0;
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
	json_t *const root = phi_json_parse(text, size, 0, err);
	if (!root)
		return -1;
	index->names = phi_names_new(err);
	p.files = phi_names_new(err);
	const bool done =
		index->names && p.files && !parse_index(&p, root, err) && !sort_files(&p, err);
	phi_names_free(p.files);
	json_decref(root);
	return done ? 0 : -1;
}
