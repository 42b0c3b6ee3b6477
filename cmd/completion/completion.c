/* Writes the completions of a shell for a tool, from options.def, the formats and the recipes:
 *
 *     completion bash|zsh|fish TOOL
 *
 * A program of the build, not of the installation. What an option's argument may be is told by its name in
 * options.def: FILE and ADAPTER are files, FORMAT, RECIPE, TYPE and some others words. */
#include "cmd/help.h"
#include "quant/recipe.h"

#include <string.h>

static const struct {
	const char *name;
	unsigned mask;
} tools[] = {{"phi-inspect", CLI_INSPECT}, {"phi-repack", CLI_REPACK}, {"phi-quant", CLI_QUANT},
	{"phi-diff", CLI_DIFF}};

/* What may stand for an argument. */
struct choice {
	bool files;
	char words[2048]; /* with blanks between */
};

static void
add_word(struct choice *choice, const char *word)
{
	const size_t n = strlen(choice->words);
	snprintf(choice->words + n, sizeof choice->words - n, "%s%s", n ? " " : "", word);
}

static void
add_formats(struct choice *choice, unsigned mask)
{
	if (mask & (CLI_INSPECT | CLI_DIFF))
		add_word(choice, "text json jsonl csv");
	else
		for (size_t i = 0; phi_formats[i]; i++)
			if (phi_formats[i]->complete)
				add_word(choice, phi_formats[i]->name);
}

static void
add_types(struct choice *choice)
{
	for (unsigned i = 0; i < PHI_TYPES; i++)
		if (phi_type_made(phi_type_of((enum phi_type_id)i)))
			add_word(choice, phi_type_of((enum phi_type_id)i)->name);
}

static struct choice
choice_of(const struct cli_option *o, unsigned mask)
{
	static const char *const words[][2] = {{"WHEN", "auto always never"},
		{"POLICY", "fail clamp keep"}, {"PROFILE", "llama.cpp llama.cpp-2025"}};
	struct choice choice = {.files = !strcmp(o->argument, "FILE") || !strcmp(o->argument, "ADAPTER")};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (!strcmp(o->argument, words[i][0]))
			add_word(&choice, words[i][1]);
	if (!strcmp(o->argument, "FORMAT"))
		add_formats(&choice, mask);
	else if (!strcmp(o->argument, "TYPE"))
		add_types(&choice);
	else if (!strcmp(o->argument, "RECIPE"))
		for (size_t i = 0; phi_recipes[i].name; i++)
			add_word(&choice, phi_recipes[i].name);
	return choice;
}

/* May it be given more than once? */
static bool
repeats(const struct cli_option *o)
{
	switch (o->kind) {
	case CLI_KIND_LIST:
	case CLI_KIND_RULE:
	case CLI_KIND_KEEP:
	case CLI_KIND_SET:
	case CLI_KIND_SET_FILE:
	case CLI_KIND_UNSET:
	case CLI_KIND_RENAME:
		return true;
	default:
		return false;
	}
}

/* s with a backslash before each of `special`. */
static void
put_escaped(const char *s, const char *special)
{
	for (; *s; s++) {
		if (strchr(special, *s))
			putchar('\\');
		putchar(*s);
	}
}

/* As part of a word in single quotes, in zsh: a quote ends it, stands escaped, and opens it again. */
static void
put_zsh(const char *s, const char *special)
{
	for (; *s; s++) {
		if (strchr(special, *s))
			putchar('\\');
		if (*s == '\'')
			fputs("'\\'", stdout);
		putchar(*s);
	}
}

static void
bash_case(const struct cli_option *o, unsigned mask)
{
	const struct choice choice = choice_of(o, mask);
	putchar('\t');
	if (o->letter)
		printf("-%c | ", o->letter);
	printf("--%s)\n", o->name);
	if (choice.files)
		printf("\t\tcompopt -o filenames\n\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n");
	else if (choice.words[0])
		printf("\t\tmapfile -t COMPREPLY < <(compgen -W '%s' -- \"$cur\")\n", choice.words);
	printf("\t\treturn ;;\n");
}

static void
bash(const char *tool, unsigned mask)
{
	/* "=" is a word of its own to bash. */
	printf("# bash completion of %s\n_%s()\n{\n"
	       "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	       "\tif [[ $cur == = ]]; then\n\t\tcur=\n"
	       "\telif [[ $prev == = ]]; then\n\t\tprev=${COMP_WORDS[COMP_CWORD-2]}\n\tfi\n"
	       "\tCOMPREPLY=()\n\tcase $prev in\n", tool, tool);
	for (size_t i = 0; i < cli_noptions; i++)
		if (cli_options[i].tools & mask && cli_options[i].argument)
			bash_case(&cli_options[i], mask);
	printf("\tesac\n\tif [[ $cur == -* ]]; then\n\t\tmapfile -t COMPREPLY < <(compgen -W '");
	for (size_t i = 0; i < cli_noptions; i++)
		if (cli_options[i].tools & mask)
			printf("--%s ", cli_options[i].name);
	printf("' -- \"$cur\")\n\telse\n\t\tcompopt -o filenames\n"
	       "\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n\tfi\n}\n"
	       "complete -F _%s %s\n", tool, tool);
}

static void
zsh_option(const struct cli_option *o, unsigned mask)
{
	printf("\t'");
	if (repeats(o))
		putchar('*');
	else if (o->letter)
		printf("(-%c --%s)", o->letter, o->name);
	if (o->letter)
		printf("'{-%c%s,--%s%s}'", o->letter, o->argument ? "+" : "", o->name,
			o->argument ? "=" : "");
	else
		printf("--%s%s", o->name, o->argument ? "=" : "");
	putchar('[');
	put_zsh(o->help, "[]:\\");
	putchar(']');
	if (o->argument) {
		const struct choice choice = choice_of(o, mask);
		putchar(':');
		put_zsh(o->argument, ":");
		printf(":%s", choice.files ? "_files" : "");
		if (choice.words[0])
			printf("(%s)", choice.words);
	}
	printf("' \\\n");
}

static void
zsh(const char *tool, unsigned mask)
{
	printf("#compdef %s\n_arguments -s -S \\\n", tool);
	for (size_t i = 0; i < cli_noptions; i++)
		if (cli_options[i].tools & mask)
			zsh_option(&cli_options[i], mask);
	printf("\t'*:input:_files'\n");
}

static void
fish(const char *tool, unsigned mask)
{
	printf("# fish completion of %s\n", tool);
	for (size_t i = 0; i < cli_noptions; i++) {
		const struct cli_option *const o = &cli_options[i];
		if (!(o->tools & mask))
			continue;
		printf("complete -c %s", tool);
		if (o->letter)
			printf(" -s %c", o->letter);
		printf(" -l %s", o->name);
		if (o->argument) {
			const struct choice choice = choice_of(o, mask);
			fputs(choice.files ? " -r -F" : " -x", stdout);
			if (choice.words[0])
				printf(" -a '%s'", choice.words);
		}
		fputs(" -d '", stdout);
		put_escaped(o->help, "\\'");
		puts("'");
	}
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*write)(const char *tool, unsigned mask);
	} shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};
	for (size_t i = 0; argc == 3 && i < sizeof shells / sizeof *shells; i++)
		for (size_t j = 0; j < sizeof tools / sizeof *tools; j++)
			if (!strcmp(argv[1], shells[i].name) && !strcmp(argv[2], tools[j].name)) {
				shells[i].write(tools[j].name, tools[j].mask);
				return fflush(stdout) || ferror(stdout) ? CLI_TROUBLE : CLI_DONE;
			}
	fputs("usage: completion bash|zsh|fish TOOL\n", stderr);
	return CLI_TROUBLE;
}
