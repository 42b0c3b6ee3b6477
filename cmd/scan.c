#include "cmd/scan.h"

#include "cmd/process.h"
#include "formats/core/memory.h"
#include "inspect/inspect.h"

#include <stdlib.h>
#include <unistd.h>

struct job {
	struct phi_store **stores; /* NULL: could not be opened */
	unsigned count;
	bool found, unknown;
};

/* All are opened before the sandbox closes. */
static int
open_all(struct job *job, const struct cli *cli, const struct phi_spool_options *spool,
	struct phi_err *err)
{
	job->count = cli->noperands ? cli->noperands : 1;
	job->stores = phi_calloc(job->count, sizeof(struct phi_store *), err);
	if (!job->stores)
		return -1;
	if (!cli->noperands && isatty(STDIN_FILENO))
		return phi_fail(err, PHI_ARGUMENT,
			"no input: name a file or pipe one in (see --help)");
	for (unsigned i = 0; i < job->count; i++) {
		job->stores[i] = phi_store_open(cli->noperands ? cli->operands[i] : NULL, spool, err);
		if (!job->stores[i] && err->kind == PHI_MEMORY)
			return -1;
		if (!job->stores[i])
			job->unknown = cli_trouble(cli, err);
	}
	return 0;
}

static int
scan(struct job *job, const struct cli *cli, struct cli_report *report, struct phi_err *err)
{
	const struct phi_spool_options spool = {.refuse = cli->no_spool};
	struct phi_inspect_options options = {.size = sizeof options, .style = cli->style};
	if (open_all(job, cli, &spool, err) ||
		process_confine(cli, cli->output, true, err))
		return -1;
	for (unsigned i = 0; i < job->count; i++) {
		enum phi_scan_verdict verdict = PHI_SCAN_CLEAN;
		if (!job->stores[i])
			continue;
		options.headless = cli_report_before(report, cli, false);
		if (phi_scan_print(job->stores[i], &options, report->out, &verdict, err)) {
			struct phi_err own = *err;
			phi_context(&own, "%s", phi_store_path(job->stores[i]));
			cli_trouble(cli, &own);
			job->unknown = true;
		}
		job->found |= verdict == PHI_SCAN_FOUND;
		job->unknown |= verdict == PHI_SCAN_UNKNOWN;
		phi_store_close(job->stores[i]);
		job->stores[i] = NULL;
	}
	cli_report_after(report, cli);
	return 0;
}

int
cli_scan(const struct cli *cli, struct cli_report *report)
{
	struct job job = {0};
	struct phi_err err = {0};
	const int failed = scan(&job, cli, report, &err);
	for (unsigned i = 0; job.stores && i < job.count; i++)
		phi_store_close(job.stores[i]);
	phi_free(job.stores);
	if (failed)
		return cli_trouble(cli, &err);
	return job.found ? CLI_DIFFERS : job.unknown ? CLI_TROUBLE : CLI_DONE;
}
