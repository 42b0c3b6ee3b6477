/* A tool as a process: its standard descriptors, signals, progress bar, sandbox and end. */
#ifndef PHI_CMD_PROCESS_H
#define PHI_CMD_PROCESS_H

#include "cmd/cli.h"

/* First thing in main: makes sure that descriptors 0 to 2 are taken (so that no file of ours becomes
 * "standard output"), and that SIGTERM, SIGINT, SIGHUP and SIGPIPE remove temporaries before they
 * kill. A signal that was ignored when the tool started stays ignored. */
void process_begin(void);
/* Last thing in main: flushes and closes stdout. Returns `status`, or CLI_TROUBLE with a message when
 * what was printed did not arrive. */
int process_end(const struct cli *cli, int status);

/* The main of every tool: begin, parse, `act`, end. Returns the exit status. */
int process_main(const struct cli_tool *tool, int argc, char **argv,
	int (*act)(struct cli *cli));

/* The bar: drawn on stderr if that is a terminal and the work takes longer than a second. */
struct process_bar {
	bool on, drawn;
	const char *tool;
	double start, last; /* seconds, monotonic */
};
void process_bar_begin(struct process_bar *bar, const struct cli *cli);
/* The `progress` of struct phi_pump_options. */
void process_bar_draw(void *bar, uint64_t done, uint64_t total);
void process_bar_end(struct process_bar *bar);

/* Gives up everything but reading beneath the operands and writing beside the output (NULL: none) and
 * to where a pipe is spooled. `unopened`: operands that are files are opened later; else they are open. */
int process_confine(const struct cli *cli, const char *output, bool unopened, struct phi_err *err);

/* The folder of a path, in dst; "." if it has none. */
const char *process_parent(const char *path, char *dst, size_t size);

#endif
