/* Findings: what --check, --scan and --layout say about a file, one line each. Formats emit them; the
 * tools print them and count. A finding is no error: the file was examined, this is what it is like. */
#ifndef PHI_CORE_FINDING_H
#define PHI_CORE_FINDING_H

#include "formats/core/error.h"

#include <stdint.h>

enum phi_severity {
	PHI_FINDING_INFO,	/* worth knowing; never changes the exit status */
	PHI_FINDING_INVALID,	/* --check: a rule of the format, or of its runtime, is broken */
	PHI_FINDING_SUSPICIOUS, /* --scan: not known to be harmless */
	PHI_FINDING_DANGEROUS,	/* --scan: would run code, or leave the folder */
	PHI_FINDING_UNSCANNABLE, /* --scan: could not be examined; never "clean" */
};

struct phi_finding {
	enum phi_severity severity;
	const char *rule;  /* stable id: "gguf.alignment", "pickle.global" */
	const char *file;  /* member as shown to people, or NULL: the file named */
	const char *entry; /* within an archive, or NULL */
	uint64_t offset;   /* in the file or entry; UINT64_MAX: none */
	const char *text;  /* one line, already escaped; lent for the call */
};

/* Who takes findings. emit returns 0, or -1 to stop (out of memory, output closed). */
struct phi_findings {
	int (*emit)(void *ctx, const struct phi_finding *finding, struct phi_err *err);
	void *ctx;
};

/* Formats a text and emits. `file` and `entry` may be NULL. */
int phi_finding_emit(const struct phi_findings *findings, enum phi_severity severity,
	const char *rule, const char *file, const char *entry, uint64_t offset, struct phi_err *err,
	const char *fmt, ...) PHI_PRINTF(8, 9);

/* "info", "invalid", "suspicious", "dangerous", "unscannable" */
const char *phi_severity_name(enum phi_severity severity);

/* A region of a file, for --layout: every byte of the file belongs to one. */
struct phi_region {
	const char *file;
	uint64_t offset, size;
	const char *what; /* "header", "padding", "tensor", "gap", ... */
	const char *name; /* of the tensor or entry, or NULL */
};

struct phi_regions {
	int (*emit)(void *ctx, const struct phi_region *region, struct phi_err *err);
	void *ctx;
};

#endif
