/* phi-inspect: what is in a model file. */
#include "cmd/convert.h"
#include "cmd/process.h"
#include "cmd/report.h"
#include "cmd/scan.h"
#include "inspect/inspect.h"

#include <limits.h>

static const struct cli_tool tool = {
	.name = "phi-inspect",
	.mask = CLI_INSPECT,
	.operands = "[INPUT]",
	.operands_max = UINT_MAX,
	.summary = "Prints what is in a model. INPUT is a file or a folder; - or none is standard input.",
};

static int
print(const struct cli *cli, struct phi_source *source, struct cli_report *report,
	const struct phi_inspect_options *options, bool *valid, struct phi_err *err)
{
	if (cli->check)
		return phi_check_print(source, options, report->out, valid, err);
	return cli->layout ? phi_layout_print(source, options, report->out, err)
			   : phi_inspect_print(source, options, report->out, err);
}

/* Is the file to blame that it could not be opened, or we, or the system? */
static bool
file_is_wrong(const struct phi_err *err)
{
	return err->kind == PHI_FORMAT || err->kind == PHI_TRUNCATED || err->kind == PHI_LIMIT ||
		err->kind == PHI_UNSUPPORTED;
}

static int
print_unreadable(const char *path, struct cli_report *report,
	const struct phi_inspect_options *options, bool *valid, struct phi_err *err)
{
	const struct phi_err why = *err;
	*valid = false;
	return phi_check_print_unreadable(path ? path : "stdin", &why, options, report->out, err);
}

static int
run(struct cli *cli, struct cli_report *report, bool *valid, struct phi_err *err)
{
	const struct phi_spool_options spool = {.refuse = cli->no_spool};
	const char *const path = cli->noperands ? cli->operands[0] : NULL;
	struct process_bar bar;
	if (cli->noperands > 1)
		return phi_fail(err, PHI_ARGUMENT, "too many operands (see --help)");
	process_bar_begin(&bar, cli);
	const struct phi_inspect_options options = {.size = sizeof options, .json = cli->json,
		.full = cli->full, .sum = cli->sum, .color = cli_colored(cli, stdout),
		.only = cli->only.count ? cli->only.items : NULL,
		.exclude = cli->exclude.count ? cli->exclude.items : NULL, .jobs = cli->jobs,
		.spool = &spool, .progress = process_bar_draw, .progress_ctx = &bar};
	/* What is said of bytes is said of the tensors the file holds. */
	const bool members = cli->check || cli->layout;
	struct phi_source *const source = cli_source(cli, path, members, &spool, err);
	int result = -1;
	if (!source && cli->check && file_is_wrong(err))
		result = print_unreadable(path, report, &options, valid, err);
	else if (source && !process_confine(cli, report->output ? cli->output : NULL, err))
		result = print(cli, source, report, &options, valid, err);
	process_bar_end(&bar);
	phi_source_close(source);
	return result;
}

static int
inspect(struct cli *cli)
{
	struct phi_err err = {0};
	struct cli_report report;
	bool valid = true;
	int status = CLI_DONE;
	bool good = !cli_report_open(&report, cli, &err);
	if (good && cli->scan)
		status = cli_scan(cli, report.out);
	else
		good = good && !run(cli, &report, &valid, &err);
	if (cli_report_end(&report, good, &err))
		good = false;
	if (good && cli->scan)
		return status;
	return !good ? cli_trouble(cli, &err) : valid ? CLI_DONE : CLI_DIFFERS;
}

int
main(int argc, char **argv)
{
	return process_main(&tool, argc, argv, inspect);
}
