/* Where phi-inspect and phi-diff print: stdout, or a file that appears whole or not at all. */
#ifndef PHI_CMD_REPORT_H
#define PHI_CMD_REPORT_H

#include "cmd/cli.h"

struct cli_report {
	FILE *out;
	struct phi_output *output; /* NULL: stdout */
	unsigned printed;	   /* models, of several */
};

/* Reads -o, --force, and -f, --json, --jsonl, --csv (sets cli->style). */
int cli_report_open(struct cli_report *report, struct cli *cli, struct phi_err *err);
/* The same into a file that is not the output. */
int cli_report_to(struct cli_report *report, const char *path, const struct cli *cli, struct phi_err *err);
/* Where several models are printed: what stands before each (JSON: they are an array; text: an empty line
 * where they are apart), and after the last. Nothing where there is one. Before returns whether an earlier one
 * has had the CSV's header. */
bool cli_report_before(struct cli_report *report, const struct cli *cli, bool apart);
void cli_report_after(struct cli_report *report, const struct cli *cli);
/* Makes the file appear if the report is good. stdout is process_end's. */
int cli_report_end(struct cli_report *report, bool good, struct phi_err *err);

#endif
