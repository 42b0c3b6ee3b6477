/* Findings as they are printed, one line each:
 *
 *     model.gguf: invalid: gguf.offset: tensor blk.0.ffn_up.weight: offset 96 where ...
 *
 * or with JSON {"file": ..., "findings": [{severity, rule, file, entry, offset, text}, ...]}, as JSON lines and
 * CSV the findings alone, each with the path. They are counted by severity. */
#ifndef PHI_INSPECT_FINDINGS_H
#define PHI_INSPECT_FINDINGS_H

#include "formats/core/finding.h"
#include "inspect/inspect.h"

struct phi_findings_print {
	FILE *out;
	const char *path; /* as the user named it */
	enum phi_style style;
	bool offsets; /* in the text too */
	struct phi_emit emit;
	uint64_t count[PHI_FINDING_UNSCANNABLE + 1]; /* of each severity */
};

/* Of options: style, headless. */
void phi_findings_begin(struct phi_findings_print *p, const char *path,
	const struct phi_inspect_options *options, FILE *out);
/* To be handed to whoever finds; `p` must outlive it. */
struct phi_findings phi_findings_to(struct phi_findings_print *p);
int phi_findings_finish(struct phi_findings_print *p, struct phi_err *err);

#endif
