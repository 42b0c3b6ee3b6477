#include "quant/rules.h"

#include "formats/core/escape.h"
#include "formats/core/glob.h"
#include "formats/core/memory.h"
#include "quant/recipe.h"

#include <regex.h>
#include <string.h>

/* A rule at work. Exact ones are found by name; the last of them has the name. */
struct compiled {
	const struct phi_rule *rule;
	const char *why;
	bool has_regex;
	regex_t regex;
};

struct phi_rules {
	struct compiled *items;
	size_t count;
	struct phi_names *exact;
};

/* /REGEX/ */
static bool
is_regex(const struct phi_rule *rule)
{
	const size_t n = strlen(rule->glob);
	return rule->kind == PHI_RULE_PATTERN && n > 2 && rule->glob[0] == '/' &&
	       rule->glob[n - 1] == '/';
}

static int
compile(struct compiled *c, struct phi_arena *arena, struct phi_err *err)
{
	const size_t n = strlen(c->rule->glob);
	char *const text = phi_arena_copy(arena, c->rule->glob + 1, n - 2, err);
	struct phi_quoted q;
	char reason[128];
	if (!text)
		return -1;
	const int result = regcomp(&c->regex, text, REG_EXTENDED | REG_NOSUB);
	if (result) {
		regerror(result, &c->regex, reason, sizeof reason);
		return phi_fail(
			err, PHI_ARGUMENT, "rule %s: %s", phi_quote(&q, c->rule->glob), reason);
	}
	c->has_regex = true;
	return 0;
}

static int
read_one(struct compiled *c, const struct phi_rule *rule, struct phi_arena *arena,
	struct phi_err *err)
{
	struct phi_quoted q;
	c->rule = rule;
	if (rule->type && !phi_type_made(rule->type))
		return phi_fail(err, PHI_UNSUPPORTED, "rule %s=%s: there is no way to make %s",
			phi_quote(&q, rule->glob), rule->type->name, rule->type->name);
	c->why = rule->type
			 ? phi_arena_printf(arena, err, "rule %s=%s", rule->glob, rule->type->name)
			 : phi_arena_printf(arena, err, "kept by --keep %s", rule->glob);
	if (!c->why)
		return -1;
	return is_regex(rule) ? compile(c, arena, err) : 0;
}

/* Exact rules are added from the last on, so that the last of a name is the one that is found. */
static int
read_all(struct phi_rules *r, const struct phi_rule *rules, size_t n, struct phi_arena *arena,
	struct phi_err *err)
{
	r->exact = phi_names_new(err);
	r->items = phi_calloc(n, sizeof *r->items, err);
	if (!r->exact || !r->items)
		return -1;
	for (; r->count < n; r->count++)
		if (read_one(&r->items[r->count], &rules[r->count], arena, err))
			return -1;
	for (size_t i = n; i-- > 0;)
		if (rules[i].kind == PHI_RULE_NAME &&
			phi_names_add(r->exact, rules[i].glob, strlen(rules[i].glob), (uint32_t)i,
				err) < 0)
			return -1;
	return 0;
}

struct phi_rules *
phi_rules_read(const struct phi_rule *rules, size_t n, struct phi_arena *arena, struct phi_err *err)
{
	struct phi_rules *const r = phi_calloc(1, sizeof *r, err);
	if (r && !read_all(r, rules, n, arena, err))
		return r;
	phi_rules_free(r);
	return NULL;
}

void
phi_rules_free(struct phi_rules *rules)
{
	if (!rules)
		return;
	for (size_t i = 0; i < rules->count; i++)
		if (rules->items[i].has_regex)
			regfree(&rules->items[i].regex);
	phi_names_free(rules->exact);
	phi_free(rules->items);
	phi_free(rules);
}

static bool
matches(const struct compiled *c, const char *name)
{
	if (!name || c->rule->kind == PHI_RULE_NAME)
		return false;
	return c->has_regex ? !regexec(&c->regex, name, 0, NULL, 0)
			    : phi_glob_match(c->rule->glob, name);
}

/* The index after that of the last exact rule for this name, or 0. */
static size_t
exact_for(const struct phi_rules *rules, const char *name)
{
	const uint32_t i = name ? phi_names_find(rules->exact, name, strlen(name)) : PHI_NONE;
	return i == PHI_NONE ? 0 : (size_t)i + 1;
}

struct phi_rules_hit
phi_rules_find(const struct phi_rules *rules, const struct phi_tensor *t)
{
	const size_t a = exact_for(rules, t->name), b = exact_for(rules, t->canonical);
	size_t best = a > b ? a : b;
	for (size_t i = rules->count; i-- > best;)
		if (matches(&rules->items[i], t->name) || matches(&rules->items[i], t->canonical))
			best = i + 1;
	if (!best)
		return (struct phi_rules_hit){ .why = NULL };
	return (struct phi_rules_hit){ .why = rules->items[best - 1].why,
		.type = rules->items[best - 1].rule->type };
}
