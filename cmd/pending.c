/* Stands in until core/sandbox is there; goes with its arrival. */
#include "formats/core/sandbox.h"

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
