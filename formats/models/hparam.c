#include "formats/models/hparam.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

const struct phi_value *
phi_hparam_find(const struct phi_metadata *list, const char *key)
{
	const struct phi_value *const v = phi_metadata_find(list, key);
	return v && v->kind != PHI_VALUE_NULL ? v : NULL;
}

bool
phi_hparam_group(const struct phi_metadata *list, const char *prefix)
{
	const size_t n = strlen(prefix);
	for (size_t i = 0; i < list->count; i++)
		if (!strncmp(list->items[i].key, prefix, n))
			return true;
	return false;
}

static int
whole(const struct phi_metadata *list, const char *key, uint64_t max, const uint32_t *absent,
	uint32_t *out, struct phi_err *err)
{
	const struct phi_value *const v = phi_hparam_find(list, key);
	uint64_t n;
	if (!v && absent) {
		*out = *absent;
		return 0;
	}
	if (!v)
		return phi_fail(err, PHI_FORMAT, "%s is missing", key);
	if (!phi_value_u64(v, &n))
		return phi_fail(err, PHI_FORMAT, "%s is no count", key);
	if (n > max)
		return phi_fail(err, PHI_LIMIT, "%s is %" PRIu64 ", at most %" PRIu64, key, n, max);
	*out = (uint32_t)n;
	return 0;
}

int
phi_hparam_count(const struct phi_metadata *list, const char *key, const uint32_t *absent,
	uint32_t *out, struct phi_err *err)
{
	if (whole(list, key, PHI_HPARAM_MAX, absent, out, err) < 0)
		return -1;
	return *out ? 0 : phi_fail(err, PHI_FORMAT, "%s is 0", key);
}

int
phi_hparam_tokens(const struct phi_metadata *list, const char *key, const uint32_t *absent,
	uint32_t *out, struct phi_err *err)
{
	return whole(list, key, UINT32_MAX, absent, out, err);
}

int
phi_hparam_real(const struct phi_metadata *list, const char *key, const double *absent, double *out,
	struct phi_err *err)
{
	const struct phi_value *const v = phi_hparam_find(list, key);
	if (!v && absent) {
		*out = *absent;
		return 0;
	}
	if (!v)
		return phi_fail(err, PHI_FORMAT, "%s is missing", key);
	if (!phi_value_f64(v, out) || !isfinite(*out) || *out <= 0)
		return phi_fail(err, PHI_FORMAT, "%s is no number above 0", key);
	return 0;
}

int
phi_hparam_flag(const struct phi_metadata *list, const char *key, bool absent, bool *out,
	struct phi_err *err)
{
	const struct phi_value *const v = phi_hparam_find(list, key);
	if (v && v->kind != PHI_VALUE_BOOL)
		return phi_fail(err, PHI_FORMAT, "%s is neither true nor false", key);
	*out = v ? v->b : absent;
	return 0;
}

int64_t
phi_hparam_token(const struct phi_metadata *list, const char *key)
{
	uint64_t n;
	return phi_value_u64(phi_metadata_find(list, key), &n) && n <= UINT32_MAX ? (int64_t)n : -1;
}

/* Element i of an array of numbers. */
static bool
element(const struct phi_value *v, uint64_t i, double *out)
{
	switch (v->array.kind) {
	case PHI_VALUE_F64:
		*out = ((const double *)v->array.data)[i];
		return true;
	case PHI_VALUE_F32:
		*out = ((const float *)v->array.data)[i];
		return true;
	case PHI_VALUE_I64:
		*out = (double)((const int64_t *)v->array.data)[i];
		return true;
	case PHI_VALUE_U64:
		*out = (double)((const uint64_t *)v->array.data)[i];
		return true;
	case PHI_VALUE_I32:
		*out = ((const int32_t *)v->array.data)[i];
		return true;
	case PHI_VALUE_U32:
		*out = ((const uint32_t *)v->array.data)[i];
		return true;
	default:
		return false;
	}
}

int
phi_hparam_reals(const struct phi_metadata *list, const char *key, struct phi_arena *arena,
	const double **values, size_t *count, struct phi_err *err)
{
	const struct phi_value *const v = phi_hparam_find(list, key);
	*values = NULL;
	*count = 0;
	if (!v || (v->kind == PHI_VALUE_ARRAY && v->array.count == 0))
		return 0;
	if (v->kind != PHI_VALUE_ARRAY)
		return phi_fail(err, PHI_FORMAT, "%s is no list of numbers", key);
	if (v->array.count > PHI_HPARAM_MAX)
		return phi_fail(err, PHI_LIMIT, "%s has %" PRIu64 " numbers, at most %d", key,
			v->array.count, PHI_HPARAM_MAX);
	double *const all = phi_arena_calloc(arena, (size_t)v->array.count, sizeof *all, err);
	if (!all)
		return -1;
	for (uint64_t i = 0; i < v->array.count; i++)
		if (!element(v, i, &all[i]) || !isfinite(all[i]))
			return phi_fail(err, PHI_FORMAT, "%s is no list of numbers", key);
	*values = all;
	*count = (size_t)v->array.count;
	return 0;
}
