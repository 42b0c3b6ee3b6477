#include "formats/core/value.h"

#include <string.h>

static const struct {
	const char *name;
	size_t width;
} kinds[] = {
	[PHI_VALUE_U8] = { "u8", 1 },
	[PHI_VALUE_I8] = { "i8", 1 },
	[PHI_VALUE_U16] = { "u16", 2 },
	[PHI_VALUE_I16] = { "i16", 2 },
	[PHI_VALUE_U32] = { "u32", 4 },
	[PHI_VALUE_I32] = { "i32", 4 },
	[PHI_VALUE_F32] = { "f32", 4 },
	[PHI_VALUE_BOOL] = { "bool", 1 },
	[PHI_VALUE_STRING] = { "string", sizeof(struct phi_string) },
	[PHI_VALUE_ARRAY] = { "array", 0 },
	[PHI_VALUE_U64] = { "u64", 8 },
	[PHI_VALUE_I64] = { "i64", 8 },
	[PHI_VALUE_F64] = { "f64", 8 },
	[PHI_VALUE_NULL] = { "null", 0 },
};

size_t
phi_value_width(enum phi_value_kind kind)
{
	return kinds[kind].width;
}

const char *
phi_value_name(enum phi_value_kind kind)
{
	return kinds[kind].name;
}

static struct phi_meta *
find(const struct phi_metadata *list, const char *key)
{
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->items[i].key, key))
			return &list->items[i];
	return NULL;
}

const struct phi_value *
phi_metadata_find(const struct phi_metadata *list, const char *key)
{
	const struct phi_meta *const meta = find(list, key);
	return meta ? &meta->value : NULL;
}

int
phi_metadata_add(struct phi_metadata *list, struct phi_arena *arena, const char *key,
	struct phi_value value, struct phi_err *err)
{
	if (list->count == list->capacity) {
		/* The old array stays in the arena: at most as much again as the last one. */
		const size_t capacity = list->capacity ? 2 * list->capacity : 32;
		struct phi_meta *const items =
			phi_arena_calloc(arena, capacity, sizeof *items, err);
		if (!items)
			return -1;
		if (list->count)
			memcpy(items, list->items, list->count * sizeof *items);
		list->items = items;
		list->capacity = capacity;
	}
	const char *const copy = phi_arena_strdup(arena, key, err);
	if (!copy)
		return -1;
	list->items[list->count++] = (struct phi_meta){ .key = copy, .value = value };
	return 0;
}

int
phi_metadata_set(struct phi_metadata *list, struct phi_arena *arena, const char *key,
	struct phi_value value, struct phi_err *err)
{
	struct phi_meta *const meta = find(list, key);
	if (!meta)
		return phi_metadata_add(list, arena, key, value, err);
	meta->value = value;
	return 0;
}

void
phi_metadata_remove(struct phi_metadata *list, const char *key)
{
	struct phi_meta *const meta = find(list, key);
	if (!meta)
		return;
	list->count--;
	memmove(meta, meta + 1, (size_t)(list->items + list->count - meta) * sizeof *meta);
}

int
phi_metadata_add_string(struct phi_metadata *list, struct phi_arena *arena, const char *key,
	const char *s, struct phi_err *err)
{
	const char *const copy = phi_arena_strdup(arena, s, err);
	if (!copy)
		return -1;
	return phi_metadata_add(list, arena, key,
		(struct phi_value){ .kind = PHI_VALUE_STRING, .s = { copy, strlen(copy) } }, err);
}

int
phi_metadata_add_u32(struct phi_metadata *list, struct phi_arena *arena, const char *key,
	uint32_t v, struct phi_err *err)
{
	return phi_metadata_add(list, arena, key,
		(struct phi_value){ .kind = PHI_VALUE_U32, .u = v }, err);
}

int
phi_metadata_add_f32(struct phi_metadata *list, struct phi_arena *arena, const char *key,
	double v, struct phi_err *err)
{
	return phi_metadata_add(list, arena, key,
		(struct phi_value){ .kind = PHI_VALUE_F32, .f = (float)v }, err);
}

int
phi_metadata_add_bool(struct phi_metadata *list, struct phi_arena *arena, const char *key,
	bool v, struct phi_err *err)
{
	return phi_metadata_add(list, arena, key,
		(struct phi_value){ .kind = PHI_VALUE_BOOL, .b = v }, err);
}

static bool
is_unsigned(enum phi_value_kind kind)
{
	return kind == PHI_VALUE_U8 || kind == PHI_VALUE_U16 || kind == PHI_VALUE_U32 ||
		kind == PHI_VALUE_U64;
}

static bool
is_signed(enum phi_value_kind kind)
{
	return kind == PHI_VALUE_I8 || kind == PHI_VALUE_I16 || kind == PHI_VALUE_I32 ||
		kind == PHI_VALUE_I64;
}

bool
phi_value_u64(const struct phi_value *v, uint64_t *out)
{
	if (!v || !(is_unsigned(v->kind) || (is_signed(v->kind) && v->i >= 0)))
		return false;
	*out = is_unsigned(v->kind) ? v->u : (uint64_t)v->i;
	return true;
}

bool
phi_value_f64(const struct phi_value *v, double *out)
{
	if (!v)
		return false;
	if (v->kind == PHI_VALUE_F32 || v->kind == PHI_VALUE_F64)
		*out = v->f;
	else if (is_unsigned(v->kind))
		*out = (double)v->u;
	else if (is_signed(v->kind))
		*out = (double)v->i;
	else
		return false;
	return true;
}

const char *
phi_value_string(const struct phi_value *v)
{
	if (!v || v->kind != PHI_VALUE_STRING || strlen(v->s.data) != v->s.size)
		return NULL;
	return v->s.data;
}

bool
phi_metadata_only_strings(const struct phi_metadata *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].value.kind != PHI_VALUE_STRING)
			return false;
	return true;
}
