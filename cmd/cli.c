#include "cmd/cli.h"

#include "cmd/help.h"
#include "formats/core/memory.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPTIONS_MAX = 96 };

/* -1 and a message about option number `index` of the table. */
static int
refuse(const struct cli *cli, const struct cli_option *option, const char *argument, const char *want)
{
	fprintf(stderr, "%s: --%s %s: %s\n", cli->tool->name, option->name, argument, want);
	return -1;
}

bool
cli_size(const char *text, uint64_t *bytes)
{
	if (text[0] < '0' || text[0] > '9')
		return false;
	char *end;
	errno = 0;
	const unsigned long long n = strtoull(text, &end, 10);
	if (errno)
		return false;
	unsigned shift = 0;
	if (*end) {
		const char *const units = "KMG";
		const char *const unit = strchr(units, *end);
		if (!unit || end[1])
			return false;
		shift = 10 * (unsigned)(unit - units + 1);
	}
	if (n > UINT64_MAX >> shift)
		return false;
	*bytes = (uint64_t)n << shift;
	return true;
}

static int
set_jobs(struct cli *cli, const struct cli_option *option, const char *argument, void *field)
{
	uint64_t n;
	if (!cli_size(argument, &n) || n < 1 || n > 1024)
		return refuse(cli, option, argument, "a number from 1 to 1024 is expected");
	*(unsigned *)field = (unsigned)n;
	return 0;
}

static int
set_size(struct cli *cli, const struct cli_option *option, const char *argument, void *field)
{
	uint64_t n;
	if (!cli_size(argument, &n) || n == 0)
		return refuse(cli, option, argument,
			"a size is expected: a number, or one with K, M or G");
	*(uint64_t *)field = n;
	return 0;
}

static int
set_real(struct cli *cli, const struct cli_option *option, const char *argument, void *field)
{
	char *end;
	const double x = strtod(argument, &end);
	if (end == argument || *end || !(x > 0 && x < INFINITY))
		return refuse(cli, option, argument, "a number above 0 is expected");
	*(double *)field = x;
	return 0;
}

static int
set_overflow(struct cli *cli, const struct cli_option *option, const char *argument, void *field)
{
	enum phi_overflow *const policy = field;
	if (!strcmp(argument, "fail"))
		*policy = PHI_OVERFLOW_FAIL;
	else if (!strcmp(argument, "clamp"))
		*policy = PHI_OVERFLOW_CLAMP;
	else if (!strcmp(argument, "keep"))
		*policy = PHI_OVERFLOW_KEEP;
	else
		return refuse(cli, option, argument, "fail, clamp or keep is expected");
	return 0;
}

static int
set_algorithm(struct cli *cli, const struct cli_option *option, const char *argument, void *field)
{
	enum phi_algorithm *const algorithm = field;
	if (!strcmp(argument, "default"))
		*algorithm = PHI_ALGORITHM_DEFAULT;
	else if (!strcmp(argument, "rtn"))
		*algorithm = PHI_ALGORITHM_RTN;
	else if (!strcmp(argument, "k_quant"))
		*algorithm = PHI_ALGORITHM_K_QUANT;
	else
		return refuse(cli, option, argument, "default, rtn or k_quant is expected");
	return 0;
}

static int
set_device(struct cli *cli, const struct cli_option *option, const char *argument, void *field)
{
	static const char *const names[] = {[PHI_DEVICE_CPU] = "cpu", [PHI_DEVICE_CUDA] = "cuda",
		[PHI_DEVICE_DML] = "dml", [PHI_DEVICE_QNN] = "qnn"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcmp(argument, names[i])) {
			*(enum phi_device *)field = (enum phi_device)i;
			return 0;
		}
	return refuse(cli, option, argument, "cpu, cuda, dml or qnn is expected");
}

static int
set_compat(struct cli *cli, const struct cli_option *option, const char *argument, void *field)
{
	enum phi_compat *const compat = field;
	if (!strcmp(argument, "llama.cpp"))
		*compat = PHI_COMPAT_LLAMA;
	else if (!strcmp(argument, "llama.cpp-2025"))
		*compat = PHI_COMPAT_LLAMA_2025;
	else
		return refuse(cli, option, argument, "llama.cpp or llama.cpp-2025 is expected");
	return 0;
}

static int
set_type(struct cli *cli, const struct cli_option *option, const char *argument, void *field)
{
	const struct phi_type *const type = phi_type_named(argument);
	if (!type)
		return refuse(cli, option, argument, "there is no such type");
	*(const struct phi_type **)field = type;
	return 0;
}

static int
set_color(struct cli *cli, const struct cli_option *option, const char *argument, void *field)
{
	enum cli_color *const color = field;
	if (!strcmp(argument, "auto"))
		*color = CLI_COLOR_AUTO;
	else if (!strcmp(argument, "always"))
		*color = CLI_COLOR_ALWAYS;
	else if (!strcmp(argument, "never"))
		*color = CLI_COLOR_NEVER;
	else
		return refuse(cli, option, argument, "auto, always or never is expected");
	return 0;
}

/* Lists are as long as argv could make them, so that appending never fails. */
static int
add_rule(struct cli *cli, const struct cli_option *option, char *argument, void *field)
{
	struct cli_rules *const rules = field;
	const struct phi_type *type = NULL;
	if (option->kind == CLI_KIND_RULE) {
		char *const equals = strrchr(argument, '=');
		if (!equals || equals == argument)
			return refuse(cli, option, argument, "GLOB=TYPE is expected");
		type = phi_type_named(equals + 1);
		if (!type)
			return refuse(cli, option, argument, "there is no such type");
		*equals = '\0';
	}
	rules->items[rules->count++] = (struct phi_rule){.glob = argument, .type = type};
	return 0;
}

static int
add_edit(const struct cli_option *option, const char *argument, struct cli_edits *edits)
{
	static const enum phi_edit_kind kinds[] = {[CLI_KIND_SET] = PHI_EDIT_SET,
		[CLI_KIND_SET_FILE] = PHI_EDIT_SET_FILE, [CLI_KIND_UNSET] = PHI_EDIT_UNSET,
		[CLI_KIND_RENAME] = PHI_EDIT_RENAME};
	edits->items[edits->count++] = (struct phi_edit){kinds[option->kind], argument};
	return 0;
}

static bool
number(const char *text, double *out)
{
	char *end;
	*out = strtod(text, &end);
	return end != text && !*end && *out >= 0;
}

/* max=X,rmse=X,rel=X,sqnr=DB */
static int
set_tolerance(struct cli *cli, const struct cli_option *option, char *argument, void *field)
{
	struct cli_tolerance *const t = field;
	struct {
		const char *name;
		double *value;
	} const parts[] = {{"max=", &t->max_abs}, {"rmse=", &t->rmse}, {"rel=", &t->relative},
		{"sqnr=", &t->sqnr}};
	char *rest = argument;
	for (char *part; (part = strsep(&rest, ","));) {
		size_t i = 0;
		while (i < 4 && strncmp(part, parts[i].name, strlen(parts[i].name)))
			i++;
		if (i == 4 || !number(part + strlen(parts[i].name), parts[i].value))
			return refuse(cli, option, part,
				"max=X, rmse=X, rel=X or sqnr=X with X of 0 or more is expected");
	}
	return 0;
}

static int
set(struct cli *cli, const struct cli_option *option, char *argument)
{
	void *const field = (char *)cli + option->field;
	struct cli_list *const list = field;
	switch (option->kind) {
	case CLI_KIND_FLAG:
		*(bool *)field = true;
		return 0;
	case CLI_KIND_STRING:
		*(const char **)field = argument;
		return 0;
	case CLI_KIND_LIST:
		list->items[list->count++] = argument;
		return 0;
	case CLI_KIND_RULE:
	case CLI_KIND_KEEP:
		return add_rule(cli, option, argument, field);
	case CLI_KIND_SET:
	case CLI_KIND_SET_FILE:
	case CLI_KIND_UNSET:
	case CLI_KIND_RENAME:
		return add_edit(option, argument, field);
	case CLI_KIND_TOLERANCE:
		return set_tolerance(cli, option, argument, field);
	case CLI_KIND_OVERFLOW:
		return set_overflow(cli, option, argument, field);
	case CLI_KIND_COLOR:
		return set_color(cli, option, argument, field);
	case CLI_KIND_COMPAT:
		return set_compat(cli, option, argument, field);
	case CLI_KIND_ALGORITHM:
		return set_algorithm(cli, option, argument, field);
	case CLI_KIND_DEVICE:
		return set_device(cli, option, argument, field);
	case CLI_KIND_TYPE:
		return set_type(cli, option, argument, field);
	case CLI_KIND_JOBS:
		return set_jobs(cli, option, argument, field);
	case CLI_KIND_SIZE:
		return set_size(cli, option, argument, field);
	case CLI_KIND_REAL:
		return set_real(cli, option, argument, field);
	}
	return -1;
}

/* getopt's own tables out of ours; a long option's value is 256 + its index in the table. */
static size_t
tables(const struct cli_tool *tool, char *letters, struct option *longs)
{
	size_t n = 0;
	*letters++ = ':';
	for (size_t i = 0; i < cli_noptions; i++) {
		const struct cli_option *const o = &cli_options[i];
		if (!(o->tools & tool->mask))
			continue;
		longs[n++] = (struct option){.name = o->name, .has_arg = o->argument != NULL,
			.val = 256 + (int)i};
		if (o->letter) {
			*letters++ = o->letter;
			if (o->argument)
				*letters++ = ':';
		}
	}
	longs[n] = (struct option){0};
	*letters = '\0';
	return n;
}

static const struct cli_option *
option_of(int value)
{
	if (value >= 256)
		return &cli_options[value - 256];
	for (size_t i = 0; i < cli_noptions; i++)
		if (cli_options[i].letter == value)
			return &cli_options[i];
	return NULL;
}

static int
read_options(struct cli *cli, int argc, char **argv)
{
	char letters[2 * OPTIONS_MAX + 2];
	struct option longs[OPTIONS_MAX + 1];
	tables(cli->tool, letters, longs);
	opterr = 0;
	for (int value; (value = getopt_long(argc, argv, letters, longs, NULL)) != -1;) {
		const char *const given = argv[optind - 1];
		if (value == '?' && optopt && optopt < 256)
			fprintf(stderr, "%s: unknown option -%c (see --help)\n", cli->tool->name, optopt);
		else if (value == '?')
			fprintf(stderr, "%s: unknown option %s (see --help)\n", cli->tool->name, given);
		else if (value == ':')
			fprintf(stderr, "%s: option %s needs an argument (see --help)\n",
				cli->tool->name, given);
		else if (!set(cli, option_of(value), optarg))
			continue;
		return -1;
	}
	cli->operands = (const char *const *)argv + optind;
	cli->noperands = (unsigned)(argc - optind);
	return 0;
}

static int
allocate(struct cli *cli, int argc, struct phi_err *err)
{
	const size_t n = (size_t)argc + 1;
	cli->only.items = phi_calloc(n, sizeof *cli->only.items, err);
	cli->exclude.items = phi_calloc(n, sizeof *cli->exclude.items, err);
	cli->lora.items = phi_calloc(n, sizeof *cli->lora.items, err);
	cli->rules.items = phi_calloc(n, sizeof *cli->rules.items, err);
	cli->edits.items = phi_calloc(n, sizeof *cli->edits.items, err);
	return cli->only.items && cli->exclude.items && cli->lora.items && cli->rules.items && cli->edits.items ? 0 : -1;
}

bool
cli_parse(struct cli *cli, const struct cli_tool *tool, int argc, char **argv, int *status)
{
	struct phi_err err = {0};
	*cli = (struct cli){.tool = tool, .tolerance = {-1, -1, -1, -1}};
	*status = CLI_TROUBLE;
	if (allocate(cli, argc, &err)) {
		cli_trouble(cli, &err);
		return false;
	}
	if (read_options(cli, argc, argv))
		return false;
	*status = CLI_DONE;
	if (cli->help) {
		cli_help(tool, stdout);
		return false;
	}
	if (cli->version) {
		cli_version(tool, cli->verbose, stdout);
		return false;
	}
	if (cli->noperands > tool->operands_max) {
		fprintf(stderr, "%s: too many operands (see --help)\n", tool->name);
		*status = CLI_TROUBLE;
		return false;
	}
	return true;
}

void
cli_free(struct cli *cli)
{
	phi_free(cli->only.items);
	phi_free(cli->exclude.items);
	phi_free(cli->lora.items);
	phi_free(cli->rules.items);
	phi_free(cli->edits.items);
}

int
cli_trouble(const struct cli *cli, const struct phi_err *err)
{
	fprintf(stderr, "%s: %s\n", cli->tool->name, err->text[0] ? err->text : "failed");
	return CLI_TROUBLE;
}

void
cli_warn(const struct cli *cli, const struct phi_model *model)
{
	for (size_t i = 0; i < model->nwarnings && !cli->quiet; i++)
		fprintf(stderr, "%s: warning: %s\n", cli->tool->name, model->warnings[i]);
}

bool
cli_colored(const struct cli *cli, FILE *out)
{
	if (cli->color != CLI_COLOR_AUTO)
		return cli->color == CLI_COLOR_ALWAYS;
	const char *const no = getenv("NO_COLOR"), *const term = getenv("TERM");
	return isatty(fileno(out)) && !(no && *no) && !(term && !strcmp(term, "dumb"));
}
