/* phi-inspect: what is in model files. */
#include "cmd/convert.h"
#include "cmd/process.h"
#include "cmd/report.h"
#include "cmd/scan.h"
#include "inspect/inspect.h"

static const struct cli_tool tool = {
	.name = "phi-inspect",
	.mask = CLI_INSPECT,
	.operands = "[INPUT]...",
	.operands_max = 1 << 20,
	.summary = "Prints what is in a model. INPUT is a file or a folder; - or none is standard input.",
};

/* What a run carries from model to model. */
struct run {
	struct cli *cli;
	struct cli_report report;
	struct phi_inspect_options options;
	bool valid;	  /* all of them */
	bool trouble;	  /* with one of several, which has been told */
};

static int
print(struct run *run, struct phi_source *source, bool *valid, struct phi_err *err)
{
	const struct cli *const cli = run->cli;
	if (cli->check)
		return phi_check_print(source, &run->options, run->report.out, valid, err);
	if (cli->graph)
		return phi_graph_print(source, &run->options, run->report.out, err);
	return cli->layout ? phi_layout_print(source, &run->options, run->report.out, err)
			   : phi_inspect_print(source, &run->options, run->report.out, err);
}

/* Is the file to blame that it could not be opened, or we, or the system? */
static bool
file_is_wrong(const struct phi_err *err)
{
	return err->kind == PHI_FORMAT || err->kind == PHI_TRUNCATED || err->kind == PHI_LIMIT ||
		err->kind == PHI_UNSUPPORTED;
}

static int
print_unreadable(const char *path, struct run *run, bool *valid, struct phi_err *err)
{
	const struct phi_err why = *err;
	*valid = false;
	return phi_check_print_unreadable(path ? path : "stdin", &why, &run->options,
		run->report.out, err);
}

/* --quick: the name, and nothing else. */
static int
judge(struct run *run, const char *path, struct phi_source *source, bool *valid, struct phi_err *err)
{
	const bool opened = source && !phi_check_quick(source, valid, err);
	if (!opened && !file_is_wrong(err))
		return -1;
	if (!opened && run->cli->verbose)
		cli_trouble(run->cli, err);
	*valid = opened && *valid;
	if (!*valid)
		fprintf(run->report.out, "%s\n", path ? path : "stdin");
	return 0;
}

static const char *
output_of(const struct run *run)
{
	return run->report.output ? run->cli->output : NULL;
}

static int
show(struct run *run, const char *path, struct phi_err *err)
{
	struct cli *const cli = run->cli;
	const bool several = cli->noperands > 1;
	bool valid = true;
	/* What is said of bytes is said of the tensors the file holds. */
	const bool members = cli->check || cli->layout || cli->quick;
	/* Names and nothing else. */
	cli->quiet = cli->quiet || (cli->quick && !cli->verbose);
	struct phi_source *const source = cli_source(cli, path, members, run->options.spool, err);
	int result = -1;
	run->options.path = several ? path : NULL;
	if (cli->quick) {
		result = judge(run, path, source, &valid, err);
	} else if (!source && cli->check && file_is_wrong(err)) {
		run->options.headless = cli_report_before(&run->report, cli, !cli->check);
		result = print_unreadable(path, run, &valid, err);
	} else if (source && (several || !process_confine(cli, output_of(run), false, err))) {
		run->options.headless = cli_report_before(&run->report, cli, !cli->check);
		result = print(run, source, &valid, err);
	}
	phi_source_close(source);
	run->valid = run->valid && valid;
	return result;
}

/* Several are opened one after the other, in the sandbox; the trouble with one does not keep the others
 * from being shown. */
static int
show_all(struct run *run, struct phi_err *err)
{
	const struct cli *const cli = run->cli;
	if (cli->noperands < 2)
		return show(run, cli->noperands ? cli->operands[0] : NULL, err);
	if (process_confine(cli, output_of(run), true, err))
		return -1;
	for (unsigned i = 0; i < cli->noperands; i++) {
		struct phi_err one = {0};
		if (!show(run, cli->operands[i], &one))
			continue;
		cli_trouble(cli, &one);
		run->trouble = true;
	}
	cli_report_after(&run->report, cli);
	return 0;
}

static int
run_all(struct run *run, struct phi_err *err)
{
	struct cli *const cli = run->cli;
	const struct phi_spool_options spool = {.refuse = cli->no_spool};
	struct process_bar bar;
	process_bar_begin(&bar, cli);
	run->options = (struct phi_inspect_options){.size = sizeof run->options, .style = cli->style,
		.full = cli->full, .sum = cli->sum, .stats = cli->stats, .depth = cli->depth,
		.color = cli_colored(cli, run->report.out), .only = cli->only.count ? cli->only.items : NULL,
		.exclude = cli->exclude.count ? cli->exclude.items : NULL, .jobs = cli->jobs,
		.converters = &phi_quant_converters, .spool = &spool, .progress = process_bar_draw,
		.progress_ctx = &bar};
	const int result = show_all(run, err);
	process_bar_end(&bar);
	return result;
}

static int
refuse(const struct cli *cli, struct phi_err *err)
{
	if (cli->check + cli->layout + cli->quick + cli->scan + cli->graph > 1)
		return phi_fail(err, PHI_ARGUMENT,
			"one of --check, --quick, --scan, --layout and --graph at a time");
	if (cli->quick && cli->style != PHI_STYLE_TEXT)
		return phi_fail(err, PHI_ARGUMENT, "--quick prints names and nothing else");
	return 0;
}

static int
inspect(struct cli *cli)
{
	struct phi_err err = {0};
	struct run run = {.cli = cli, .valid = true};
	int scanned = CLI_DONE;
	bool good = !cli_report_open(&run.report, cli, &err) && !refuse(cli, &err);
	if (good && cli->scan)
		scanned = cli_scan(cli, &run.report);
	else
		good = good && !run_all(&run, &err);
	if (cli_report_end(&run.report, good, &err))
		good = false;
	if (!good)
		return cli_trouble(cli, &err);
	if (cli->scan)
		return scanned;
	return run.trouble ? CLI_TROUBLE : run.valid ? CLI_DONE : CLI_DIFFERS;
}

int
main(int argc, char **argv)
{
	return process_main(&tool, argc, argv, inspect);
}
