#include "cmd/report.h"

#include <errno.h>
#include <string.h>

static ssize_t
append(void *cookie, const char *bytes, size_t n)
{
	struct phi_err err;
	if (!phi_output_append(cookie, 0, bytes, n, &err))
		return (ssize_t)n;
	errno = EIO;
	return 0;
}

/* -f, or one of --json, --jsonl, --csv. */
static int
choose_style(struct cli *cli, struct phi_err *err)
{
	static const char *const names[] = {[PHI_STYLE_TEXT] = "text", [PHI_STYLE_JSON] = "json",
		[PHI_STYLE_LINES] = "jsonl", [PHI_STYLE_CSV] = "csv"};
	const unsigned asked = (cli->format != NULL) + cli->json + cli->jsonl + cli->csv;
	unsigned style = cli->csv ? PHI_STYLE_CSV : cli->jsonl ? PHI_STYLE_LINES
		: cli->json					? PHI_STYLE_JSON
								: PHI_STYLE_TEXT;
	if (asked > 1)
		return phi_fail(err, PHI_ARGUMENT, "one of -f, --json, --jsonl and --csv is enough");
	while (cli->format && style < 4 && strcmp(cli->format, names[style]))
		style++;
	if (style == 4)
		return phi_fail(err, PHI_ARGUMENT, "there is no format %s: text, json, jsonl or csv",
			cli->format);
	cli->style = style;
	return 0;
}

int
cli_report_to(struct cli_report *report, const char *path, const struct cli *cli, struct phi_err *err)
{
	const struct phi_output_options options = {.force = cli->force, .no_sync = cli->no_sync};
	*report = (struct cli_report){.output = phi_output_open(PHI_OUTPUT_FILES, path, &options, err)};
	if (!report->output || phi_output_add(report->output, NULL, err))
		return -1;
	const cookie_io_functions_t functions = {.write = append};
	report->out = fopencookie(report->output, "w", functions);
	return report->out ? 0 : phi_fail_errno(err, "%s", path);
}

int
cli_report_open(struct cli_report *report, struct cli *cli, struct phi_err *err)
{
	*report = (struct cli_report){.out = stdout};
	if (choose_style(cli, err))
		return -1;
	return cli->output && strcmp(cli->output, "-") ? cli_report_to(report, cli->output, cli, err) : 0;
}

bool
cli_report_before(struct cli_report *report, const struct cli *cli, bool apart)
{
	const bool later = report->printed > 0;
	if (cli->noperands < 2)
		return false;
	if (cli->style == PHI_STYLE_JSON)
		fputs(later ? ",\n" : "[\n", report->out);
	else if (cli->style == PHI_STYLE_TEXT && later && apart)
		fputc('\n', report->out);
	report->printed++;
	return later;
}

void
cli_report_after(struct cli_report *report, const struct cli *cli)
{
	if (cli->noperands > 1 && cli->style == PHI_STYLE_JSON)
		fputs(report->printed ? "]\n" : "[]\n", report->out);
}

int
cli_report_end(struct cli_report *report, bool good, struct phi_err *err)
{
	int result = 0;
	if (report->output && report->out && report->out != stdout) {
		const bool failed = ferror(report->out);
		if ((fclose(report->out) || failed) && good)
			result = phi_fail(err, PHI_SYSTEM, "the report could not be written");
		if (good && !result)
			result = phi_output_commit(report->output, err);
	}
	phi_output_close(report->output);
	return result;
}
