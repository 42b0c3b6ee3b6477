/* phi-repack: a model in another container. */
#include "cmd/convert.h"
#include "cmd/in_place.h"
#include "cmd/process.h"

static const struct cli_tool tool = {
	.name = "phi-repack",
	.mask = CLI_REPACK,
	.operands = "[INPUT]...",
	.operands_max = 64,
	.summary = "Writes a model in another container. INPUT is a file or a folder; - or none is "
		   "standard input. Several are joined with --merge.",
};

static int
repack(struct cli *cli)
{
	return cli->in_place || cli->undo ? cli_in_place(cli) : cli_convert(cli, NULL);
}

int
main(int argc, char **argv)
{
	return process_main(&tool, argc, argv, repack);
}
