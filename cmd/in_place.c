#include "cmd/in_place.h"

#include "cmd/process.h"
#include "formats/core/escape.h"

#include <string.h>

static int
check(const struct cli *cli, struct phi_err *err)
{
	const char *const option = cli->undo ? "--undo" : "--in-place";
	if (!cli->noperands || !strcmp(cli->operands[0], "-"))
		return phi_fail(err, PHI_ARGUMENT, "%s: name a file", option);
	if (cli->output || cli->format || cli->name || cli->pre || cli->compress ||
		cli->merge || cli->lora.count || cli->noperands > 1 || cli->only.count || cli->exclude.count || cli->shard_size || cli->shard_count)
		return phi_fail(err, PHI_ARGUMENT,
			"%s goes with --set, --set-file, --unset and --rename only", option);
	if (cli->undo && (cli->in_place || cli->edits.count))
		return phi_fail(err, PHI_ARGUMENT, "--undo takes back the last change, and no more");
	if (!cli->undo && !cli->edits.count)
		return phi_fail(err, PHI_ARGUMENT, "--in-place: nothing to change (see --help)");
	return 0;
}

static int
run(const struct cli *cli, struct phi_err *err)
{
	struct phi_quoted q;
	const struct phi_patch_options options = {.no_sync = cli->no_sync};
	const char *const path = cli->operands[0];
	struct phi_patch patch = {{0}, {0}};
	int result = 0;
	if (!cli->undo && phi_patch_check(path, err))
		return phi_context(err, "%s", phi_quote(&q, path));
	if (!cli->undo &&
		phi_edit_in_place(path, cli->edits.items, cli->edits.count, &patch, err)) {
		phi_patch_free(&patch);
		return -1;
	}
	if (!cli->dry_run)
		result = cli->undo ? phi_patch_undo(path, &options, err)
				   : phi_patch_apply(path, &patch, &options, err);
	phi_patch_free(&patch);
	return result ? phi_context(err, "%s", phi_quote(&q, path)) : 0;
}

int
cli_in_place(const struct cli *cli)
{
	struct phi_err err = {0};
	return check(cli, &err) || run(cli, &err) ? cli_trouble(cli, &err) : CLI_DONE;
}
