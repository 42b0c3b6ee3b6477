/* phi-quant: a model with other number types, in any container. */
#include "cmd/convert.h"
#include "cmd/process.h"

#include <ctype.h>
#include <string.h>

static const struct cli_tool tool = {
	.name = "phi-quant",
	.mask = CLI_QUANT,
	.operands = "[INPUT]",
	.operands_max = 1,
	.summary = "Makes a model's weights smaller. INPUT is a file or a folder; - or none is standard "
		   "input.",
};

/* -t RECIPE or TARGET:RECIPE, in any case of letters. */
static int
read_choice(const struct cli *cli, char *text, size_t size, struct cli_choice *choice,
	struct phi_err *err)
{
	if (!cli->type && !cli->rules.count)
		return phi_fail(err, PHI_ARGUMENT, "nothing to do: give -t RECIPE or --rule (see --help)");
	if (cli->pure && !cli->type)
		return phi_fail(err, PHI_ARGUMENT, "--pure needs -t TYPE");
	if (!cli->type)
		return 0;
	const size_t n = strlen(cli->type);
	if (n >= size)
		return phi_fail(err, PHI_ARGUMENT, "-t: there is no such recipe");
	for (size_t i = 0; i <= n; i++)
		text[i] = (char)tolower((unsigned char)cli->type[i]);
	char *const colon = strchr(text, ':');
	choice->recipe = text;
	if (colon) {
		*colon = '\0';
		choice->target = text;
		choice->recipe = colon + 1;
	}
	return 0;
}

static int
quantize(struct cli *cli)
{
	struct phi_err err = {0};
	struct cli_choice choice = {NULL, NULL};
	char text[64];
	if (read_choice(cli, text, sizeof text, &choice, &err))
		return cli_trouble(cli, &err);
	return cli_convert(cli, &choice);
}

int
main(int argc, char **argv)
{
	return process_main(&tool, argc, argv, quantize);
}
