#include "formats/core/ranges.h"

#include "formats/core/arena.h"
#include "formats/core/escape.h"
#include "formats/core/json.h"
#include "formats/core/memory.h"
#include "formats/core/names.h"
#include "formats/core/store.h"

#include <float.h>
#include <math.h>
#include <string.h>

struct phi_ranges {
	struct phi_arena *arena; /* names */
	struct phi_names *names;
	struct range {
		float low, high;
	} *ranges;
	size_t count, capacity;
};

static bool
read_number(const json_t *value, float *out)
{
	const double number = json_number_value(value);
	*out = (float)number;
	return json_is_number(value) && fabs(number) <= (double)FLT_MAX;
}

static int
read_range(struct phi_ranges *r, const char *name, const json_t *value, struct phi_err *err)
{
	struct range range;
	struct phi_quoted q;
	if (!json_is_array(value) || json_array_size(value) != 2 || !read_number(json_array_get(value, 0), &range.low) ||
		!read_number(json_array_get(value, 1), &range.high) || !(range.low <= range.high))
		return phi_fail(err, PHI_FORMAT, "%s: [least, greatest] is expected, two numbers in order",
			phi_quote(&q, name));
	if (r->count == PHI_RANGES_MAX)
		return phi_fail(err, PHI_LIMIT, "more than %d tensors", PHI_RANGES_MAX);
	if (phi_grow(&r->ranges, &r->capacity, r->count, sizeof *r->ranges, err) < 0)
		return -1;
	char *const copy = phi_arena_strdup(r->arena, name, err);
	const int there = copy ? phi_names_add(r->names, copy, strlen(copy), (uint32_t)r->count, err) : -1;
	if (there > 0)
		return phi_fail(err, PHI_FORMAT, "%s is there twice", phi_quote(&q, name));
	r->ranges[r->count++] = range;
	return there;
}

static int
read_all(struct phi_ranges *r, const char *text, size_t size, struct phi_err *err)
{
	struct phi_json_members members;
	int more;
	r->arena = phi_arena_new(err);
	r->names = r->arena ? phi_names_new(err) : NULL;
	if (!r->names || phi_json_members_begin(&members, text, size, err) < 0)
		return -1;
	while ((more = phi_json_members_next(&members, err)) > 0) {
		if (read_range(r, json_string_value(members.name), members.value, err) < 0) {
			more = -1;
			break;
		}
	}
	phi_json_members_end(&members);
	return more;
}

struct phi_ranges *
phi_ranges_parse(const char *text, size_t size, struct phi_err *err)
{
	struct phi_ranges *const r = phi_calloc(1, sizeof *r, err);
	if (r && read_all(r, text, size, err) == 0)
		return r;
	phi_ranges_close(r);
	return NULL;
}

struct phi_ranges *
phi_ranges_open(const char *path, struct phi_err *err)
{
	struct phi_ranges *r = NULL;
	struct phi_quoted q;
	void *text = NULL;
	size_t size;
	struct phi_store *const store = phi_store_open(path, NULL, err);
	struct phi_member *const member = store ? phi_store_member(store, NULL, err) : NULL;
	if (member && !phi_member_load(member, PHI_RANGES_FILE_MAX, &text, &size, err))
		r = phi_ranges_parse(text, size, err);
	if (!r && store)
		phi_context(err, "%s", phi_quote(&q, phi_store_path(store)));
	phi_free(text);
	phi_member_close(member);
	phi_store_close(store);
	return r;
}

void
phi_ranges_close(struct phi_ranges *ranges)
{
	if (!ranges)
		return;
	phi_names_free(ranges->names);
	phi_arena_free(ranges->arena);
	phi_free(ranges->ranges);
	phi_free(ranges);
}

bool
phi_ranges_find(const struct phi_ranges *ranges, const char *tensor, float *low, float *high)
{
	const uint32_t i = phi_names_find(ranges->names, tensor, strlen(tensor));
	if (i == PHI_NONE)
		return false;
	*low = ranges->ranges[i].low;
	*high = ranges->ranges[i].high;
	return true;
}
