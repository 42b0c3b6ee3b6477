/* Globals in the scanning machine (scan_machine.h): which one it is, what that means. */
#include "formats/pytorch/scan_machine.h"

#include "formats/core/escape.h"

static int
read_text(struct phi_machine *m, const struct phi_scan_value *v, char *dst, size_t *n,
	struct phi_err *err)
{
	*n = v->size < PHI_SCAN_NAME_BYTES ? v->size : PHI_SCAN_NAME_BYTES;
	if (phi_scan_read(m->in, v->at, dst, *n, err))
		return -1;
	if (v->spelling != PHI_SPELT_AS_IS)
		*n = phi_scan_unescape(dst, *n, v->spelling, true);
	return 0;
}

/* Of letters, digits, underscores and dots: could be meant as a name. */
static bool
words(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!(s[i] >= 'a' && s[i] <= 'z') && !(s[i] >= 'A' && s[i] <= 'Z') &&
			!(s[i] >= '0' && s[i] <= '9') && s[i] != '_' && s[i] != '.')
			return false;
	return n > 0;
}

/* Says what a global is, and pushes it. */
static int
judge(struct phi_machine *m, const char *module, size_t nmodule, const char *name, size_t nname,
	struct phi_err *err)
{
	static const struct {
		enum phi_scan_rule rule;
		const char *what;
	} said[] = {
		[PHI_GLOBAL_DANGEROUS] = { PHI_RULE_DANGEROUS, "runs code, or reaches what does" },
		[PHI_GLOBAL_ODD] = { PHI_RULE_ODD, "is no name that picklers write" },
		[PHI_GLOBAL_UNKNOWN] = { PHI_RULE_UNKNOWN, "is not among what weights need" },
	};
	const bool cut = nmodule == PHI_SCAN_NAME_BYTES || nname == PHI_SCAN_NAME_BYTES;
	const enum phi_scan_global class =
		cut ? PHI_GLOBAL_ODD : phi_scan_classify(module, nmodule, name, nname);
	char a[200], b[200];
	m->r->globals++;
	phi_scan_spend(m->s, 64);
	m->named |= class != PHI_GLOBAL_ODD || (words(module, nmodule) && words(name, nname));
	m->harm |= class == PHI_GLOBAL_DANGEROUS;
	if (m->named && m->r->headed && phi_machine_prove(m, err))
		return -1;
	/* Lines of text that are no names: this is no pickle. */
	if (!m->named && !m->r->proven && !m->r->headed)
		m->ended = m->broken = true;
	else if (class <= PHI_GLOBAL_UNKNOWN &&
		 phi_machine_say(m, said[class].rule, err, "%s %s %s",
			 phi_escape(a, sizeof a, module, nmodule),
			 phi_escape(b, sizeof b, name, nname), said[class].what))
		return -1;
	return phi_machine_push(m,
		(struct phi_scan_value){ .kind = PHI_VALUE_GLOBAL, .class = (uint8_t) class }, err);
}

int
phi_machine_global(struct phi_machine *m, const struct phi_operand *o, struct phi_err *err)
{
	char module[PHI_SCAN_NAME_BYTES], name[PHI_SCAN_NAME_BYTES];
	const struct phi_scan_value a = { .at = o->at,
		.size = o->size < PHI_SCAN_NAME_BYTES ? (uint32_t)o->size : PHI_SCAN_NAME_BYTES };
	const struct phi_scan_value b = { .at = o->at2,
		.size = o->size2 < PHI_SCAN_NAME_BYTES ? (uint32_t)o->size2 : PHI_SCAN_NAME_BYTES };
	size_t n, k;
	if (read_text(m, &a, module, &n, err) || read_text(m, &b, name, &k, err))
		return -1;
	return judge(m, module, n, name, k, err);
}

int
phi_machine_stack_global(struct phi_machine *m, struct phi_err *err)
{
	char module[PHI_SCAN_NAME_BYTES], name[PHI_SCAN_NAME_BYTES];
	size_t n, k;
	const struct phi_scan_value b = phi_machine_pop(m), a = phi_machine_pop(m);
	if (a.kind == PHI_VALUE_TEXT && b.kind == PHI_VALUE_TEXT) {
		if (read_text(m, &a, module, &n, err) || read_text(m, &b, name, &k, err))
			return -1;
		return judge(m, module, n, name, k, err);
	}
	m->r->globals++;
	if (!m->ended && phi_machine_say(m, PHI_RULE_COMPUTED, err,
				 "a global whose name is no string of the pickle, but computed"))
		return -1;
	return phi_machine_push_kind(m, PHI_VALUE_ANYTHING, err);
}
