/* --scan of a safetensors file: nothing in it runs, and its reader lets no byte of it be anything else. */
#include "formats/safetensors/read.h"

int
phi_safetensors_scan(struct phi_store *store, const struct phi_findings *findings, struct phi_err *err)
{
	const struct phi_open_options options = { .size = sizeof options };
	struct phi_err why = { 0 };
	struct phi_member *const member = phi_store_member(store, NULL, err);
	const int spooled = member ? phi_member_spool(member, err) : -1;
	phi_member_close(member);
	if (spooled)
		return -1;
	struct phi_source *const source = phi_safetensors_open(store, &options, &why);
	phi_source_close(source);
	if (source)
		return 0;
	if (why.kind != PHI_MEMORY && why.kind != PHI_SYSTEM)
		return phi_finding_emit(findings, PHI_FINDING_UNSCANNABLE, "file.unreadable", NULL, NULL,
			UINT64_MAX, err, "%s", why.text);
	if (err)
		*err = why;
	return -1;
}
