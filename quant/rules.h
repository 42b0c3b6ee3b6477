/* Rules, read once: which of them a tensor meets. */
#ifndef PHI_QUANT_RULES_H
#define PHI_QUANT_RULES_H

#include "quant/quant.h"

struct phi_rules;

/* Words (in the arena) and compiles the rules, which are lent. Fails where a type cannot be made or a regular
 * expression is wrong. */
struct phi_rules *phi_rules_read(const struct phi_rule *rules, size_t n, struct phi_arena *arena,
	struct phi_err *err);
void phi_rules_free(struct phi_rules *rules);

/* The last rule that matches the tensor's name or its canonical name. */
struct phi_rules_hit {
	const char *why;	     /* "rule *.weight=F16"; NULL: none matches */
	const struct phi_type *type; /* NULL: the source's */
};
struct phi_rules_hit phi_rules_find(const struct phi_rules *rules, const struct phi_tensor *t);

#endif
