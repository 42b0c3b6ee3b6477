/* The option table, and what is printed from it. */
#ifndef PHI_CMD_HELP_H
#define PHI_CMD_HELP_H

#include "cmd/cli.h"

enum cli_kind {
	CLI_KIND_FLAG,	    /* bool */
	CLI_KIND_STRING,    /* const char * */
	CLI_KIND_LIST,	    /* struct cli_list, appended */
	CLI_KIND_RULE,	    /* struct cli_rules, appended */
	CLI_KIND_KEEP,	    /* the same, with no type */
	CLI_KIND_SET,	    /* struct cli_edits, appended; so the next three */
	CLI_KIND_SET_FILE,
	CLI_KIND_UNSET,
	CLI_KIND_RENAME,
	CLI_KIND_TOLERANCE, /* struct cli_tolerance */
	CLI_KIND_OVERFLOW,  /* enum phi_overflow */
	CLI_KIND_COLOR,	    /* enum cli_color */
	CLI_KIND_COMPAT,    /* enum phi_compat */
	CLI_KIND_ALGORITHM, /* enum phi_algorithm */
	CLI_KIND_DEVICE,    /* enum phi_device */
	CLI_KIND_TYPE,	    /* const struct phi_type * */
	CLI_KIND_JOBS,	    /* unsigned */
	CLI_KIND_SIZE,	    /* uint64_t */
	CLI_KIND_REAL,	    /* double above 0 */
};

struct cli_option {
	char letter; /* 0: none */
	const char *name, *argument;
	unsigned tools;
	enum cli_kind kind;
	size_t field; /* offset in struct cli */
	const char *help;
};

extern const struct cli_option cli_options[];
extern const size_t cli_noptions;

void cli_help(const struct cli_tool *tool, FILE *out);
void cli_version(const struct cli_tool *tool, bool details, FILE *out);

#endif
