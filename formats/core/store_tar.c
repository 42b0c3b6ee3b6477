#include "formats/core/store_inside.h"
int
phi_tar_index(struct phi_store *store, struct phi_err *err)
{
	(void)store;
	return phi_fail(err, PHI_UNSUPPORTED, "tar files are not read yet");
}
