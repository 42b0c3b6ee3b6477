/* What the four tools share on the command line: options, messages, exit statuses. */
#ifndef PHI_CMD_CLI_H
#define PHI_CMD_CLI_H

#include "formats/core/edit.h"
#include "formats/formats.h"
#include "inspect/table.h"
#include "quant/quant.h"

#include <stdio.h>

/* Exit statuses of all tools. */
enum { CLI_DONE = 0, CLI_DIFFERS = 1, CLI_TROUBLE = 2 };

/* The tools as a set, for the column of options.def. */
enum { CLI_INSPECT = 1, CLI_REPACK = 2, CLI_QUANT = 4, CLI_DIFF = 8 };

struct cli_list {
	const char **items; /* NULL-ended, or NULL when empty */
	size_t count;
};

struct cli_rules {
	struct phi_rule *items;
	size_t count;
};

struct cli_edits {
	struct phi_edit *items; /* --set, --set-file, --unset, --rename in the order given */
	size_t count;
};

struct cli_tolerance {
	double max_abs, rmse, relative, sqnr; /* negative: not given */
};

enum cli_color { CLI_COLOR_AUTO, CLI_COLOR_ALWAYS, CLI_COLOR_NEVER };

/* A tool: what its --help says beside the options. */
struct cli_tool {
	const char *name;    /* "phi-repack" */
	unsigned mask;	     /* CLI_REPACK */
	const char *operands; /* "[INPUT]" */
	const char *summary; /* one line */
	unsigned operands_max;
};

/* The command line, read. Strings are argv's. */
struct cli {
	const struct cli_tool *tool;
	const char *output, *format, *type, *pre, *name, *recipe_file, *write_recipe, *imatrix, *template, *ranges;
	const struct phi_type *output_type, *embedding_type;
	enum phi_compat compat;
	struct phi_graph_options asked_graph;
	bool sym, asym;
	bool from_quantized, keep_split, keep_all, lossless, keep_codes;
	bool pure, search, report, explain, compress, external, sum, full, brief, strict, dry_run, json, force, no_sync, no_spool;
	bool jsonl, csv, stats, quick, metadata, tensors, heatmap;
	bool in_place, undo, check, scan, layout, graph, merge;
	bool quiet, verbose, help, version;
	struct cli_rules rules;
	struct cli_list only, exclude, lora;
	struct cli_edits edits;
	struct cli_tolerance tolerance;
	enum phi_overflow overflow;
	enum cli_color color;
	enum phi_style style; /* of a report; set by cli_report_open */
	unsigned jobs;	 /* 0: one a CPU */
	unsigned depth, blocks, group; /* 0: not asked for */
	uint64_t memory; /* 0: the default */
	uint64_t target_size; /* bytes of the file; 0: not asked for */
	double target_bpw;    /* bits a weight; 0: not asked for */
	uint64_t shard_size;  /* --split-size, 0: the format's default */
	unsigned shard_count; /* --split-count, 0: not asked for */
	const char *const *operands;
	unsigned noperands;
};

/* Reads argv (permuted); does --help and --version at once. Returns true when the tool is to go on,
 * else *status is what it exits with (a message was printed where that is CLI_TROUBLE). */
bool cli_parse(struct cli *cli, const struct cli_tool *tool, int argc, char **argv, int *status);
void cli_free(struct cli *cli);

/* "64M" -> bytes: a decimal number and K, M, G or nothing. False if it is none or does not fit. */
bool cli_size(const char *text, uint64_t *bytes);

/* "tool: text" on stderr. Returns CLI_TROUBLE. */
int cli_trouble(const struct cli *cli, const struct phi_err *err);
/* The model's warnings from number `first` on, unless -q. */
void cli_warn(const struct cli *cli, const struct phi_model *model);

/* Is text to `out` coloured? */
bool cli_colored(const struct cli *cli, FILE *out);

#endif
