/* --scan, printed. */
#include "formats/formats.h"
#include "inspect/findings.h"
#include "inspect/inspect.h"

int
phi_scan_print(struct phi_store *store, const struct phi_inspect_options *options, FILE *out,
	enum phi_scan_verdict *verdict, struct phi_err *err)
{
	struct phi_findings_print print;
	struct phi_err other;
	phi_findings_begin(&print, phi_store_path(store), options, out);
	print.offsets = true;
	const struct phi_findings findings = phi_findings_to(&print);
	const int result = phi_scan_store(store, &findings, err);
	*verdict = print.count[PHI_FINDING_DANGEROUS] || print.count[PHI_FINDING_SUSPICIOUS]
		? PHI_SCAN_FOUND
		: print.count[PHI_FINDING_UNSCANNABLE] ? PHI_SCAN_UNKNOWN : PHI_SCAN_CLEAN;
	return phi_findings_finish(&print, result ? &other : err) || result ? -1 : 0;
}
