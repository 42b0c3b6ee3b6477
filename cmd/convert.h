/* What phi-repack and phi-quant do: describe, lower, choose, plan, pump. */
#ifndef PHI_CMD_CONVERT_H
#define PHI_CMD_CONVERT_H

#include "cmd/cli.h"

/* What phi-quant wants beyond a change of container; phi-repack passes NULL. */
struct cli_choice {
	const char *target; /* "gguf" of gguf:q8_0, or NULL */
	const char *recipe; /* lower case, or NULL: rules only */
	const struct phi_rule *rules; /* of the recipe file and of the command line */
	size_t nrules;
	const struct phi_importance_list *importance; /* or NULL */
	struct phi_importance_note note;	      /* about it, for the output's metadata */
};

/* Runs the job of the command line. Returns an exit status; what went wrong has been printed. */
int cli_convert(const struct cli *cli, const struct cli_choice *choice);

/* Opens an operand (NULL: stdin), described, its warnings printed. `members`: packed weights stay the
 * tensors the file holds. */
struct phi_source *cli_source(const struct cli *cli, const char *path, bool members,
	const struct phi_spool_options *spool, struct phi_err *err);
/* --imatrix, read; the caller's to free. */
struct phi_importance_list *cli_importance(const struct cli *cli, struct phi_err *err);
/* --only and --exclude, on any model; fails when nothing is left. */
int cli_pick(const struct cli *cli, struct phi_model *model, struct phi_err *err);

#endif
