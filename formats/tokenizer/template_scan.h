/* Chat templates are programs: Jinja, which many runtimes execute. Here they are read, never rendered. */
#ifndef PHI_TOKENIZER_TEMPLATE_SCAN_H
#define PHI_TOKENIZER_TEMPLATE_SCAN_H

#include "formats/core/finding.h"

#include <stddef.h>

/* Finds words with which a template reaches for Python's inside (rule template.code), and addresses
 * (template.url), in a template or in JSON that holds some. entry: for the findings, or NULL.
 * Source: the template injections of CVE-2024-34359; facts/security.md 1.1. */
int phi_template_scan(const char *text, size_t size, const struct phi_findings *findings,
	const char *entry, struct phi_err *err);

#endif
