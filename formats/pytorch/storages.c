/* The storages of a checkpoint: those the pickle names by persistent ids,
 *
 *   ('storage', class, key, location, count [, view: None or (key, offset, count)])
 *
 * and those that are made (made.h). */
#include "formats/pytorch/view.h"

#include "formats/core/checked.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int
phi_torch_open(struct phi_torch *torch, struct phi_model *model, struct phi_err *err)
{
	*torch = (struct phi_torch){ .model = model, .keys = phi_names_new(err) };
	return torch->keys ? 0 : -1;
}

void
phi_torch_free(struct phi_torch *torch)
{
	phi_free(torch->storages);
	phi_free(torch->pending);
	phi_free(torch->types);
	phi_names_free(torch->keys);
	*torch = (struct phi_torch){ 0 };
}

static struct phi_torch_storage *
append(struct phi_torch *torch, uint64_t size, struct phi_err *err)
{
	if (phi_grow(&torch->storages, &torch->capacity, torch->count, sizeof *torch->storages,
		    err))
		return NULL;
	struct phi_storage *const storage = phi_model_add_storage(torch->model, err);
	if (!storage)
		return NULL;
	storage->size = size;
	struct phi_torch_storage *const s = &torch->storages[torch->count++];
	*s = (struct phi_torch_storage){ .key = NULL };
	return s;
}

/* The name of a storage in the archive: folder and key. */
static const char *
full_key(struct phi_torch *torch, const struct phi_pickle *key, struct phi_err *err)
{
	struct phi_quoted q;
	const char *const name =
		phi_arena_copy(torch->model->arena, key->string.data, key->string.size, err);
	if (!name)
		return NULL;
	if (strlen(name) != key->string.size || strchr(name, '/')) {
		phi_fail(err, PHI_FORMAT, "storage %s has no proper key", phi_quote(&q, name));
		return NULL;
	}
	return torch->folder ? phi_arena_printf(torch->model->arena, err, "%s/%s", torch->folder, name)
			     : name;
}

uint32_t
phi_torch_find_storage(const struct phi_torch *torch, struct phi_string key)
{
	char name[PHI_NAME_MAX];
	const int n = torch->folder ? snprintf(name, sizeof name, "%s/", torch->folder) : 0;
	if (key.size >= sizeof name - (size_t)n)
		return PHI_NONE;
	memcpy(name + n, key.data, key.size);
	return phi_names_find(torch->keys, name, (size_t)n + key.size);
}

static int
add_storage(struct phi_torch *torch, const struct phi_pickle *key, uint64_t count, unsigned bytes,
	uint32_t *index, struct phi_err *err)
{
	struct phi_quoted q;
	*index = phi_torch_find_storage(torch, key->string);
	if (*index != PHI_NONE) {
		const struct phi_torch_storage *const known = &torch->storages[*index];
		return known->count == count && known->bytes == bytes
			       ? 0
			       : phi_fail(err, PHI_FORMAT, "storage %s is described in two ways",
					 phi_quote(&q, known->key));
	}
	const char *const name = full_key(torch, key, err);
	uint64_t size;
	if (!name)
		return -1;
	if (!phi_mul(count, bytes, &size))
		return phi_fail(err, PHI_FORMAT, "storage %s has more than 2^64 bytes",
			phi_quote(&q, name));
	*index = (uint32_t)torch->count;
	struct phi_torch_storage *const s = append(torch, size, err);
	if (!s || phi_names_add(torch->keys, name, strlen(name), *index, err))
		return -1;
	*s = (struct phi_torch_storage){ .key = name, .count = count, .bytes = bytes };
	return 0;
}

int
phi_torch_take_storage(struct phi_torch *torch, const struct phi_pickle *node, uint32_t *storage,
	const struct phi_torch_dtype **class, uint64_t *offset, struct phi_err *err)
{
	const struct phi_pickle *const id =
		node && node->kind == PHI_PICKLE_PERSISTENT ? node->items[0] : NULL;
	const struct phi_pickle *const key = phi_pickle_item(id, 2);
	const struct phi_pickle *const part = phi_pickle_item(id, 5);
	uint64_t count;
	*class = phi_torch_storage_class(phi_pickle_item(id, 1));
	*offset = 0;
	if (!phi_pickle_is_string(phi_pickle_item(id, 0), "storage") || !key ||
		key->kind != PHI_PICKLE_STRING ||
		!phi_torch_whole_number(phi_pickle_item(id, 4), &count))
		return phi_fail(err, PHI_FORMAT, "its storage is not described as torch does");
	if (!*class)
		return phi_fail(err, PHI_FORMAT, "its storage is of no class that is known");
	if (part && part->kind != PHI_PICKLE_NONE &&
		!phi_torch_whole_number(phi_pickle_item(part, 1), offset))
		return phi_fail(err, PHI_FORMAT, "its storage is a view that cannot be");
	return add_storage(torch, key, count, (*class)->bytes, storage, err);
}

int
phi_torch_add_storages(
	struct phi_torch *torch, const struct phi_pickle *persistent, struct phi_err *err)
{
	for (; persistent; persistent = persistent->next) {
		const struct phi_torch_dtype *class;
		uint32_t storage;
		uint64_t part;
		if (phi_pickle_is_string(phi_pickle_item(persistent->items[0], 0), "storage") &&
			phi_torch_storage_class(phi_pickle_item(persistent->items[0], 1)) &&
			phi_torch_take_storage(torch, persistent, &storage, &class, &part, err))
			return -1;
	}
	return 0;
}

struct phi_torch_made *
phi_torch_make(struct phi_torch *torch, uint64_t size, uint32_t *storage, struct phi_err *err)
{
	struct phi_torch_made *const made =
		phi_arena_calloc(torch->model->arena, 1, sizeof *made, err);
	*storage = (uint32_t)torch->count;
	struct phi_torch_storage *const s = made ? append(torch, size, err) : NULL;
	if (!s)
		return NULL;
	s->made = made;
	return made;
}

uint8_t *
phi_torch_room(struct phi_torch *torch, uint64_t n, struct phi_err *err)
{
	uint64_t all;
	if (!phi_add(torch->copied, n, &all) || all > PHI_TORCH_COPIED_MAX) {
		phi_fail(err, PHI_LIMIT, "more than %d bytes of numbers in the pickle itself",
			PHI_TORCH_COPIED_MAX);
		return NULL;
	}
	torch->copied = all;
	return phi_arena_calloc(torch->model->arena, 1, (size_t)n + 1, err);
}

struct phi_tensor *
phi_torch_new_tensor(struct phi_torch *torch, const char *name, enum phi_type_id type,
	unsigned rank, const uint64_t *shape, struct phi_err *err)
{
	struct phi_tensor *const t = phi_model_add_tensor(torch->model, err);
	if (!t)
		return NULL;
	t->name = phi_arena_strdup(torch->model->arena, name, err);
	t->type = phi_type_of(type);
	t->rank = rank;
	for (unsigned d = 0; d < rank; d++)
		t->shape[d] = shape[d];
	return t->name ? t : NULL;
}
