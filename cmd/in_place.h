/* phi-repack --in-place and --undo: a file changed where it stands. */
#ifndef PHI_CMD_IN_PLACE_H
#define PHI_CMD_IN_PLACE_H

#include "cmd/cli.h"

/* Returns an exit status; what went wrong has been printed. */
int cli_in_place(const struct cli *cli);

#endif
