/* Reading arrays of NumPy. Objects in them are never unpickled: they are not read at all.
 *
 *   file   tensors
 *   .npy   one, named by the file's name without its suffix, or by --name
 *   .npz   one for each entry that is an array, named as numpy.load names it: without ".npy"
 *
 * Elements that are no numbers of ours (objects, text, records, ...) are refused in a .npy; in a
 * .npz those arrays, and entries that are none, are left out with one warning. Deflated entries are
 * inflated into a spool while describing. */
#ifndef PHI_NUMPY_READ_H
#define PHI_NUMPY_READ_H

#include "formats/core/format.h"
#include "formats/core/zip.h"
#include "formats/numpy/header.h"

struct phi_source *phi_numpy_open(
	struct phi_store *store, const struct phi_open_options *options, struct phi_err *err);

/* The bytes of one array with its header: a range of the file, or of the spool. */
struct phi_numpy_range {
	struct phi_member *member; /* NULL: of the spool */
	struct phi_spool *spool;
	uint64_t offset, size;
};
phi_npy_read phi_numpy_range_read;

struct phi_numpy {
	struct phi_member *member;
	struct phi_zip zip; /* of a .npz */
	bool archive;
	struct phi_spool *spool; /* of what had to be inflated, or NULL */
	struct phi_numpy_place *places; /* of the entries */
};

struct phi_numpy_place {
	uint64_t spooled; /* of a deflated entry: where it begins in the spool */
	uint64_t data; /* of an array: where its data begins in the entry; 0: not read as one */
};

/* The bytes of an entry, inflated: an array, or what may be one. */
struct phi_numpy_range phi_numpy_entry(const struct phi_numpy *numpy, size_t entry);

/* check.c, layout.c: the source's ops. */
int phi_numpy_check(
	struct phi_source *source, const struct phi_findings *findings, struct phi_err *err);
int phi_numpy_layout(
	struct phi_source *source, const struct phi_regions *regions, struct phi_err *err);

#endif
