/* Reading single hyper-parameters out of metadata: config.json's (flattened with dots) or GGUF's. A
 * key that is absent or null takes the default given; without one it is an error that names the key,
 * as is a value of another kind or beyond PHI_HPARAM_MAX. */
#ifndef PHI_MODELS_HPARAM_H
#define PHI_MODELS_HPARAM_H

#include "formats/core/value.h"

/* The largest count a configuration may name: products of three such numbers fit 64 bits. Context
 * lengths, which are never multiplied, may be any 32-bit number. */
enum { PHI_HPARAM_MAX = 1 << 20 };

/* absent NULL: must be there. */
int phi_hparam_count(const struct phi_metadata *list, const char *key, const uint32_t *absent,
	uint32_t *out, struct phi_err *err);
/* A number of tokens: up to UINT32_MAX. */
int phi_hparam_tokens(const struct phi_metadata *list, const char *key, const uint32_t *absent,
	uint32_t *out, struct phi_err *err);
/* Finite and above zero. */
int phi_hparam_real(const struct phi_metadata *list, const char *key, const double *absent,
	double *out, struct phi_err *err);
int phi_hparam_flag(const struct phi_metadata *list, const char *key, bool absent, bool *out,
	struct phi_err *err);
/* A token id, or -1 if it is absent, null or a list. */
int64_t phi_hparam_token(const struct phi_metadata *list, const char *key);
/* An array of finite numbers, as doubles in the arena; *values NULL if absent, null or empty. */
int phi_hparam_reals(const struct phi_metadata *list, const char *key, struct phi_arena *arena,
	const double **values, size_t *count, struct phi_err *err);
/* The value, or NULL if the key is absent or its value null. */
const struct phi_value *phi_hparam_find(const struct phi_metadata *list, const char *key);
/* Is there a key that starts with `prefix`? */
bool phi_hparam_group(const struct phi_metadata *list, const char *prefix);

#endif
