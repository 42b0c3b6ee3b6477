/* Stands in until quant/recipe and core/sandbox are there; goes with their arrival. */
#include "formats/core/sandbox.h"
#include "quant/quant.h"

__attribute__((weak)) const struct phi_recipe_info phi_recipes[] = {{NULL, NULL}};

__attribute__((weak)) int
phi_choose(struct phi_model *lowered, const struct phi_recipe_options *options, struct phi_err *err)
{
	(void)lowered;
	(void)options;
	return phi_fail(err, PHI_UNSUPPORTED, "recipes are not there yet");
}

__attribute__((weak)) int
phi_sandbox_enter(const struct phi_sandbox *sandbox, struct phi_err *err)
{
	(void)sandbox;
	(void)err;
	return 0;
}

__attribute__((weak)) const char *
phi_sandbox_state(void)
{
	return "none";
}
