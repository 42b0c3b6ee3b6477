#include "inspect/module.h"

#include "formats/core/memory.h"

#include <stdlib.h>
#include <string.h>

static bool
is_number(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] < '0' || s[i] > '9')
			return false;
	return n > 0;
}

int
phi_module_name(const char *name, unsigned depth, char *dst, size_t size)
{
	size_t used = 0;
	unsigned components = 0;
	int layer = -1;
	*dst = '\0';
	for (const char *p = name;; ) {
		const size_t n = strcspn(p, ".");
		const bool last = !p[n], number = is_number(p, n);
		if (number && layer < 0 && n < 9)
			layer = atoi(p);
		/* What follows the last dot is the tensor in the module. */
		if (last && components)
			return layer;
		const char *const text = number ? "*" : p;
		const size_t length = number ? 1 : n;
		if ((!depth || components < depth) && used + length + 2 <= size) {
			if (components)
				dst[used++] = '.';
			memcpy(dst + used, text, length);
			used += length;
			dst[used] = '\0';
		}
		components++;
		if (last)
			return layer;
		p += n + 1;
	}
}

/* The module with this name, made if it is not there; NULL: no memory. */
static struct phi_module *
find(struct phi_modules *m, struct phi_names *names, const char *name, struct phi_err *err)
{
	uint32_t i = phi_names_find(names, name, strlen(name));
	if (i != PHI_NONE)
		return &m->items[i];
	i = (uint32_t)m->count;
	char *const copy = phi_arena_strdup(m->arena, name, err);
	if (!copy || phi_names_add(names, copy, strlen(copy), i, err))
		return NULL;
	m->items[m->count++] = (struct phi_module){.name = copy};
	return &m->items[i];
}

static int
take(struct phi_modules *m, struct phi_names *names, const struct phi_tensor *t, unsigned depth,
	struct phi_err *err)
{
	char name[PHI_NAME_MAX + 1];
	uint64_t n = 0, bytes = 0;
	if (t->alias != PHI_NONE || !phi_tensor_elements(t, &n) || !phi_tensor_bytes(t, &bytes))
		return 0;
	phi_module_name(t->name, depth, name, sizeof name);
	struct phi_module *const of = find(m, names, name, err);
	if (!of)
		return -1;
	of->tensors++;
	of->weights += n;
	of->bytes += bytes;
	return 0;
}

int
phi_modules_take(struct phi_modules *modules, const struct phi_model *model, const uint32_t *tensors,
	size_t count, unsigned depth, struct phi_err *err)
{
	struct phi_names *const names = phi_names_new(err);
	*modules = (struct phi_modules){.arena = phi_arena_new(err)};
	modules->items = phi_calloc(count + 1, sizeof *modules->items, err);
	int result = names && modules->arena && modules->items ? 0 : -1;
	for (size_t i = 0; i < count && !result; i++)
		result = take(modules, names, &model->tensors[tensors[i]], depth, err);
	phi_names_free(names);
	return result;
}

void
phi_modules_free(struct phi_modules *modules)
{
	phi_free(modules->items);
	phi_arena_free(modules->arena);
}
