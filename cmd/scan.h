/* phi-inspect --scan. */
#ifndef PHI_CMD_SCAN_H
#define PHI_CMD_SCAN_H

#include "cmd/report.h"

/* Scans every operand. Returns an exit status: of what was found and what could not be examined; what
 * went wrong has been printed. */
int cli_scan(const struct cli *cli, struct cli_report *report);

#endif
