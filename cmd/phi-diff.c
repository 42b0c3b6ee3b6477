/* phi-diff: how far one model is from another. */
#include "cmd/convert.h"
#include "cmd/process.h"
#include "cmd/report.h"
#include "inspect/inspect.h"
#include "quant/importance.h"

static const struct cli_tool tool = {
	.name = "phi-diff",
	.mask = CLI_DIFF,
	.operands = "A [B]",
	.operands_max = 2,
	.summary = "Compares two models, tensor by tensor. A and B are files or folders; - or none is "
		   "standard input.",
};

static int
compare(const struct cli *cli, struct phi_source *const source[2],
	const struct phi_importance_list *importance, struct cli_report *report,
	const struct phi_spool_options *spool, bool *differs, struct phi_err *err)
{
	struct process_bar bar;
	process_bar_begin(&bar, cli);
	const struct phi_diff_options options = {.size = sizeof options,
		.style = cli->style, .metadata = cli->metadata, .tensors = cli->tensors,
		.heatmap = cli->heatmap, .stats = cli->stats, .blocks = cli->blocks,
		.brief = cli->brief, .strict = cli->strict, .color = cli_colored(cli, report->out),
		.max_abs = cli->tolerance.max_abs, .rmse = cli->tolerance.rmse,
		.relative = cli->tolerance.relative, .sqnr = cli->tolerance.sqnr,
		.only = cli->only.count ? cli->only.items : NULL,
		.exclude = cli->exclude.count ? cli->exclude.items : NULL, .jobs = cli->jobs,
		.importance = importance, .converters = &phi_quant_converters, .spool = spool, .progress = process_bar_draw,
		.progress_ctx = &bar};
	const int result =
		phi_diff_print(source[0], source[1], &options, report->out, differs, err);
	process_bar_end(&bar);
	return result;
}

/* What makes no sense together. */
static int
refuse(const struct cli *cli, struct phi_err *err)
{
	if (!cli->noperands)
		return phi_fail(err, PHI_ARGUMENT, "two models are needed (see --help)");
	if (cli->blocks > PHI_BLOCKS_MAX)
		return phi_fail(err, PHI_ARGUMENT, "--blocks: at most %d", PHI_BLOCKS_MAX);
	if (cli->metadata && (cli->tensors || cli->blocks || cli->heatmap || cli->stats))
		return phi_fail(err, PHI_ARGUMENT,
			"--metadata looks at no weights: not with --tensors, --blocks, --heatmap, --stats");
	return 0;
}

static int
diff(struct cli *cli)
{
	struct phi_err err = {0};
	struct cli_report report = {0};
	const struct phi_spool_options spool = {.refuse = cli->no_spool};
	struct phi_source *source[2] = {NULL, NULL};
	struct phi_importance_list *importance = NULL;
	bool differs = false;
	if (refuse(cli, &err))
		return cli_trouble(cli, &err);
	bool good = !cli_report_open(&report, cli, &err);
	for (unsigned i = 0; i < 2 && good; i++) {
		source[i] = cli_source(cli, i < cli->noperands ? cli->operands[i] : NULL, false, &spool, &err);
		good = source[i] != NULL;
	}
	if (good && cli->imatrix) {
		importance = cli_importance(cli, &err);
		good = importance != NULL;
	}
	good = good && !process_confine(cli, report.output ? cli->output : NULL, false, &err) &&
		!compare(cli, source, importance, &report, &spool, &differs, &err);
	if (cli_report_end(&report, good, &err))
		good = false;
	phi_importance_close(importance);
	phi_source_close(source[1]);
	phi_source_close(source[0]);
	return !good ? cli_trouble(cli, &err) : differs ? CLI_DIFFERS : CLI_DONE;
}

int
main(int argc, char **argv)
{
	return process_main(&tool, argc, argv, diff);
}
