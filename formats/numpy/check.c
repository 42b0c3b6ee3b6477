/* --check of .npy and .npz: what numpy.load would refuse or pass over in a file that could be
 * described. The rules are in phi-inspect(1). */
#include "formats/core/zip_check.h"
#include "formats/numpy/read.h"

#include <inttypes.h>
#include <string.h>

struct check {
	const struct phi_numpy *numpy;
	const struct phi_findings *findings;
	const char *file;
};

enum { NUMPY_HEADER_MAX = 10000 }; /* numpy.load's max_header_size */

/* The header once more: of the file, or of an entry. */
static int
check_array(
	const struct check *c, struct phi_numpy_range all, const char *entry, struct phi_err *err)
{
	struct phi_npy npy;
	if (phi_npy_parse(&npy, phi_numpy_range_read, &all, all.size, err))
		return -1;
	if (!npy.type)
		return phi_finding_emit(c->findings, PHI_FINDING_INFO, "numpy.elements", c->file,
			entry, UINT64_MAX, err, "its elements are %s", npy.what);
	const uint64_t end = npy.data + npy.bytes;
	if (npy.guessed &&
		phi_finding_emit(c->findings, PHI_FINDING_INFO, "numpy.void", c->file, entry,
			UINT64_MAX, err, "two bytes without a type (V2) are taken for BF16"))
		return -1;
	if (npy.data % 16 && phi_finding_emit(c->findings, PHI_FINDING_INFO, "numpy.alignment",
				     c->file, entry, UINT64_MAX, err,
				     "the data begins at %" PRIu64 ", no multiple of 16", npy.data))
		return -1;
	if (npy.data > NUMPY_HEADER_MAX &&
		phi_finding_emit(c->findings, PHI_FINDING_INVALID, "numpy.header", c->file, entry,
			UINT64_MAX, err,
			"a header of %" PRIu64 " bytes; numpy.load takes %d unless told otherwise",
			npy.data, NUMPY_HEADER_MAX))
		return -1;
	return end == all.size
		       ? 0
		       : phi_finding_emit(c->findings, PHI_FINDING_INVALID, "numpy.trailing",
				 c->file, entry, end, err,
				 "%" PRIu64 " bytes follow the end of the array", all.size - end);
}

static int
check_entry(const struct check *c, size_t entry, struct phi_err *err)
{
	const struct phi_zip_entry *const e = &c->numpy->zip.entries[entry];
	struct phi_numpy_range all = phi_numpy_entry(c->numpy, entry);
	const size_t n = strlen(e->name);
	uint8_t head[PHI_NPY_MAGIC];
	if (!e->readable)
		return phi_finding_emit(c->findings, PHI_FINDING_INVALID, "numpy.entry", c->file,
			e->name, e->header, err,
			"is encrypted, or compressed by another method than deflate");
	if (all.size >= sizeof head && phi_numpy_range_read(&all, 0, head, sizeof head, err))
		return -1;
	if (all.size < sizeof head || !phi_npy_is(head, sizeof head))
		return phi_finding_emit(c->findings, PHI_FINDING_INFO, "numpy.entry", c->file,
			e->name, e->header, err, "is no array");
	if ((n < 4 || strcmp(e->name + n - 4, ".npy") != 0) &&
		phi_finding_emit(c->findings, PHI_FINDING_INFO, "numpy.name", c->file, e->name,
			e->header, err, "an array whose name does not end in .npy"))
		return -1;
	return check_array(c, all, e->name, err);
}

int
phi_numpy_check(struct phi_source *source, const struct phi_findings *findings, struct phi_err *err)
{
	const struct phi_numpy *const s = source->state;
	const struct check c = {
		.numpy = s, .findings = findings, .file = phi_member_name(s->member)
	};
	if (!s->archive)
		return check_array(&c,
			(struct phi_numpy_range){
				.member = s->member, .size = phi_member_size(s->member) },
			NULL, err);
	for (size_t i = 0; i < s->zip.count; i++)
		if (check_entry(&c, i, err))
			return -1;
	return phi_zip_check(&s->zip, findings, err);
}
