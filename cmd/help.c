#include "cmd/help.h"

#include "formats/core/relay.h"
#include "formats/core/sandbox.h"
#include "quant/recipe.h"

#include <string.h>

/* The letters of options.def's column. */
enum { I = CLI_INSPECT, R = CLI_REPACK, Q = CLI_QUANT, D = CLI_DIFF };

const struct cli_option cli_options[] = {
#define OPTION(letter, name, argument, tools, kind, field, help)                                      \
	{letter, name, argument, tools, CLI_KIND_##kind, offsetof(struct cli, field), help},
#include "cmd/options.def"
#undef OPTION
};
const size_t cli_noptions = sizeof cli_options / sizeof *cli_options;

static void
print_options(const struct cli_tool *tool, FILE *out)
{
	for (size_t i = 0; i < cli_noptions; i++) {
		const struct cli_option *const o = &cli_options[i];
		if (!(o->tools & tool->mask))
			continue;
		char left[64];
		snprintf(left, sizeof left, "%c%c%c --%s%s%s", o->letter ? '-' : ' ',
			o->letter ? o->letter : ' ', o->letter ? ',' : ' ', o->name,
			o->argument ? " " : "", o->argument ? o->argument : "");
		fprintf(out, "  %-24s  %s\n", left, o->help);
	}
}

static const char *
directions(const struct phi_format *f)
{
	return !f->open ? "write" : !f->complete ? "read" : "read, write";
}

static void
print_formats(FILE *out)
{
	fputs("\nFormats:\n", out);
	for (size_t i = 0; phi_formats[i]; i++)
		fprintf(out, "  %-14s%-13s%s\n", phi_formats[i]->name, directions(phi_formats[i]),
			phi_formats[i]->summary);
}

static void
print_recipes(FILE *out)
{
	fputs("\nRecipes:\n", out);
	for (size_t i = 0; phi_recipes[i].name; i++)
		fprintf(out, "  %-14s%s\n", phi_recipes[i].name, phi_recipes[i].summary);
	fputs("\nRecipes of MLX (also int4 for 4 with -f mlx):\n", out);
	for (size_t i = 0; phi_recipes_mlx[i].name; i++)
		fprintf(out, "  mlx:%-14s%s\n", phi_recipes_mlx[i].name, phi_recipes_mlx[i].summary);
	fputs("\nRecipes of ONNX:\n", out);
	for (size_t i = 0; phi_recipes_onnx[i].name; i++)
		fprintf(out, "  onnx:%-13s%s\n", phi_recipes_onnx[i].name, phi_recipes_onnx[i].summary);
}

/* What --pure and --rule may name, in lines of 76 columns. */
static void
print_types(FILE *out)
{
	size_t column = 0;
	fputs("\nTypes that can be made:\n ", out);
	for (unsigned i = 0; i < PHI_TYPES; i++) {
		const struct phi_type *const type = phi_type_of((enum phi_type_id)i);
		if (!phi_type_made(type))
			continue;
		if (column + strlen(type->name) > 74) {
			fputs("\n ", out);
			column = 0;
		}
		column += (size_t)fprintf(out, " %s", type->name);
	}
	fputc('\n', out);
}

void
cli_help(const struct cli_tool *tool, FILE *out)
{
	fprintf(out, "Usage: %s [OPTION]... %s\n%s\n\nOptions:\n", tool->name, tool->operands,
		tool->summary);
	print_options(tool, out);
	if (tool->mask & CLI_QUANT) {
		print_recipes(out);
		print_types(out);
	}
	print_formats(out);
	fprintf(out, "\nExit status: 0 done%s, 2 trouble. See %s(1).\n",
		tool->mask & CLI_DIFF ? " and equal, 1 the models differ"
			: tool->mask & CLI_INSPECT ? ", 1 a check failed" : "", tool->name);
}

void
cli_version(const struct cli_tool *tool, bool details, FILE *out)
{
	fprintf(out, "%s (Phi Tools) %s\n", tool->name, PHI_VERSION);
	if (!details)
		return;
	fprintf(out, "kernels: %s\n", phi_quant_cpu());
	fprintf(out, "CPUs: %u\n", phi_relay_cpus());
	const struct phi_sandbox sandbox = {{NULL}, NULL, {NULL}};
	phi_sandbox_enter(&sandbox, NULL);
	fprintf(out, "sandbox: %s\n", phi_sandbox_state());
}
