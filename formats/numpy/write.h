/* Writing arrays of NumPy: as numpy.save and numpy.savez write them, to the byte. */
#ifndef PHI_NUMPY_WRITE_H
#define PHI_NUMPY_WRITE_H

#include "formats/core/format.h"

/* A .npy where the output is called so, or goes to a pipe: then there must be one tensor. Else a
 * .npz of all. Types that NumPy does not have are refused; tied tensors are written out each. */
int phi_numpy_complete(struct phi_plan *plan, struct phi_err *err);

#endif
