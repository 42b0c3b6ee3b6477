/* phi-inspect: what is in a model file. */
#include "cmd/convert.h"
#include "cmd/process.h"
#include "cmd/report.h"
#include "inspect/inspect.h"

static const struct cli_tool tool = {
	.name = "phi-inspect",
	.mask = CLI_INSPECT,
	.operands = "[INPUT]",
	.operands_max = 1,
	.summary = "Prints what is in a model. INPUT is a file or a folder; - or none is standard input.",
};

static int
print(const struct cli *cli, struct phi_source *source, struct cli_report *report,
	const struct phi_spool_options *spool, struct phi_err *err)
{
	struct process_bar bar;
	process_bar_begin(&bar, cli);
	const struct phi_inspect_options options = {.size = sizeof options, .json = cli->json,
		.full = cli->full, .sum = cli->sum, .color = cli_colored(cli, stdout),
		.only = cli->only.count ? cli->only.items : NULL,
		.exclude = cli->exclude.count ? cli->exclude.items : NULL, .jobs = cli->jobs, .spool = spool, .progress = process_bar_draw, .progress_ctx = &bar};
	const int result = phi_inspect_print(source, &options, report->out, err);
	process_bar_end(&bar);
	return result;
}

static int
inspect(struct cli *cli)
{
	struct phi_err err = {0};
	struct cli_report report;
	const struct phi_spool_options spool = {.refuse = cli->no_spool};
	struct phi_source *source = NULL;
	bool good = !cli_report_open(&report, cli, &err) &&
		(source = cli_source(cli, cli->noperands ? cli->operands[0] : NULL, &spool, &err)) &&
		!process_confine(cli, report.output ? cli->output : NULL, &err) &&
		!print(cli, source, &report, &spool, &err);
	if (cli_report_end(&report, good, &err))
		good = false;
	phi_source_close(source);
	return good ? CLI_DONE : cli_trouble(cli, &err);
}

int
main(int argc, char **argv)
{
	struct cli cli;
	int status;
	process_begin();
	if (cli_parse(&cli, &tool, argc, argv, &status))
		status = inspect(&cli);
	status = process_end(&cli, status);
	cli_free(&cli);
	return status;
}
