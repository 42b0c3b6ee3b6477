/* phi-quant: a model with other number types, in any container. */
#include "cmd/convert.h"
#include "cmd/process.h"
#include "formats/core/memory.h"
#include "quant/importance.h"
#include "quant/recipe_file.h"

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

/* What the command line asks for, with what it names read. */
struct wish {
	struct cli_choice choice;
	char text[64]; /* of -t */
	struct phi_recipe_file *file;
	struct phi_rule *rules;
	struct phi_importance_list *importance;
};

static bool
asks_nothing(const struct cli *cli)
{
	return !cli->type && !cli->rules.count && !cli->recipe_file && !cli->output_type &&
		!cli->embedding_type && !cli->lossless && !cli->keep_codes && !cli->target_size && !(cli->target_bpw > 0);
}

/* -t RECIPE or TARGET:RECIPE, in any case of letters. */
static int
read_type(const struct cli *cli, struct wish *wish, struct phi_err *err)
{
	if (asks_nothing(cli))
		return phi_fail(err, PHI_ARGUMENT, "nothing to do: give -t RECIPE or --rule (see --help)");
	if (cli->pure && !cli->type)
		return phi_fail(err, PHI_ARGUMENT, "--pure needs -t TYPE");
	if (!cli->type)
		return 0;
	const size_t n = strlen(cli->type);
	if (n >= sizeof wish->text)
		return phi_fail(err, PHI_ARGUMENT, "-t: there is no such recipe");
	for (size_t i = 0; i <= n; i++)
		wish->text[i] = (char)tolower((unsigned char)cli->type[i]);
	char *const colon = strchr(wish->text, ':');
	wish->choice.recipe = wish->text;
	if (colon) {
		*colon = '\0';
		wish->choice.target = wish->text;
		wish->choice.recipe = colon + 1;
	}
	return 0;
}

/* The rules of --recipe, then those of the command line, which win. */
static int
read_rules(const struct cli *cli, struct wish *wish, struct phi_err *err)
{
	size_t n = 0;
	if (cli->recipe_file) {
		wish->file = phi_recipe_file_open(cli->recipe_file, err);
		if (!wish->file)
			return -1;
		n = wish->file->nrules;
		if (!wish->choice.recipe)
			wish->choice.recipe = wish->file->recipe;
	}
	wish->rules = phi_calloc(n + cli->rules.count, sizeof *wish->rules, err);
	if (!wish->rules)
		return -1;
	if (n)
		memcpy(wish->rules, wish->file->rules, n * sizeof *wish->rules);
	memcpy(wish->rules + n, cli->rules.items, cli->rules.count * sizeof *wish->rules);
	wish->choice.rules = wish->rules;
	wish->choice.nrules = n + cli->rules.count;
	return 0;
}

static int
read_importance(const struct cli *cli, struct wish *wish, struct phi_err *err)
{
	if (!cli->imatrix)
		return 0;
	wish->importance = cli_importance(cli, err);
	if (!wish->importance)
		return -1;
	wish->choice.importance = wish->importance;
	wish->choice.note = (struct phi_importance_note){.file = cli->imatrix,
		.dataset = phi_importance_dataset(wish->importance),
		.entries = phi_importance_count(wish->importance),
		.chunks = phi_importance_chunks(wish->importance)};
	return 0;
}

static int
quantize(struct cli *cli)
{
	struct phi_err err = {0};
	struct wish wish = {.text = ""};
	const int status = read_type(cli, &wish, &err) || read_rules(cli, &wish, &err) ||
			read_importance(cli, &wish, &err)
		? cli_trouble(cli, &err)
		: cli_convert(cli, &wish.choice);
	phi_importance_close(wish.importance);
	phi_recipe_file_close(wish.file);
	phi_free(wish.rules);
	return status;
}

int
main(int argc, char **argv)
{
	return process_main(&tool, argc, argv, quantize);
}
