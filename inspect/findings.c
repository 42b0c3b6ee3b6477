#include "inspect/findings.h"

#include "formats/core/escape.h"

#include <inttypes.h>
#include <string.h>

void
phi_findings_begin(struct phi_findings_print *p, const char *path, bool json, FILE *out)
{
	*p = (struct phi_findings_print){.out = out, .path = path, .json = json};
	if (!json)
		return;
	phi_emit_begin(&p->emit, out, 2);
	phi_emit_open(&p->emit, '{');
	phi_emit_member(&p->emit, "file", path);
	phi_emit_key(&p->emit, "findings");
	phi_emit_open(&p->emit, '[');
}

/* The file found in, where it is not the one named. */
static const char *
other_file(const struct phi_findings_print *p, const struct phi_finding *f)
{
	const char *const slash = strrchr(p->path, '/');
	return f->file && strcmp(f->file, p->path) && strcmp(f->file, slash ? slash + 1 : p->path)
		? f->file : NULL;
}

static void
print_text(const struct phi_findings_print *p, const struct phi_finding *f)
{
	struct phi_quoted path, file, entry;
	const char *const other = other_file(p, f);
	fprintf(p->out, "%s", phi_quote(&path, p->path));
	if (other)
		fprintf(p->out, ": %s", phi_quote(&file, other));
	if (f->entry)
		fprintf(p->out, ": %s", phi_quote(&entry, f->entry));
	fprintf(p->out, ": %s: %s: ", phi_severity_name(f->severity), f->rule);
	if (p->offsets && f->offset != UINT64_MAX)
		fprintf(p->out, "offset %" PRIu64 ": ", f->offset);
	fprintf(p->out, "%s\n", f->text);
}

static void
print_json(struct phi_emit *e, const struct phi_finding *f)
{
	phi_emit_open(e, '{');
	phi_emit_member(e, "severity", phi_severity_name(f->severity));
	phi_emit_member(e, "rule", f->rule);
	phi_emit_member(e, "file", f->file);
	phi_emit_member(e, "entry", f->entry);
	phi_emit_key(e, "offset");
	if (f->offset == UINT64_MAX)
		phi_emit_null(e);
	else
		phi_emit_u64(e, f->offset);
	phi_emit_member(e, "text", f->text);
	phi_emit_close(e, '}');
}

static int
take(void *ctx, const struct phi_finding *f, struct phi_err *err)
{
	struct phi_findings_print *const p = ctx;
	p->count[f->severity]++;
	if (p->json)
		print_json(&p->emit, f);
	else
		print_text(p, f);
	return ferror(p->out) ? phi_fail(err, PHI_SYSTEM, "the report could not be written") : 0;
}

struct phi_findings
phi_findings_to(struct phi_findings_print *p)
{
	return (struct phi_findings){.emit = take, .ctx = p};
}

int
phi_findings_finish(struct phi_findings_print *p, struct phi_err *err)
{
	if (!p->json)
		return 0;
	phi_emit_close(&p->emit, ']');
	phi_emit_close(&p->emit, '}');
	return phi_emit_finish(&p->emit, err);
}
