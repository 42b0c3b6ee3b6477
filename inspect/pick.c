#include "inspect/pick.h"

#include "formats/core/glob.h"

static bool
any(const char *const *globs, const struct phi_tensor *t)
{
	for (; *globs; globs++)
		if (phi_glob_match(*globs, t->name) ||
			(t->canonical && phi_glob_match(*globs, t->canonical)))
			return true;
	return false;
}

bool
phi_pick_matches(const struct phi_tensor *t, const char *const *only, const char *const *exclude)
{
	return (!only || any(only, t)) && !(exclude && any(exclude, t));
}
