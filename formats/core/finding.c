#include "formats/core/finding.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const severities[] = {
	[PHI_FINDING_INFO] = "info",
	[PHI_FINDING_INVALID] = "invalid",
	[PHI_FINDING_SUSPICIOUS] = "suspicious",
	[PHI_FINDING_DANGEROUS] = "dangerous",
	[PHI_FINDING_UNSCANNABLE] = "unscannable",
};

const char *
phi_severity_name(enum phi_severity severity)
{
	return severities[severity];
}

int
phi_finding_emit(const struct phi_findings *findings, enum phi_severity severity,
	const char *rule, const char *file, const char *entry, uint64_t offset, struct phi_err *err,
	const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	const struct phi_finding finding = { .severity = severity, .rule = rule, .file = file,
		.entry = entry, .offset = offset, .text = text };
	return findings->emit(findings->ctx, &finding, err);
}
