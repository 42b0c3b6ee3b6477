/* A model or a comparison as text, JSON, JSON lines or CSV: what phi-inspect and phi-diff print. The library
 * never writes to a file itself: text goes to the stream it is given, whose errors the caller checks. */
#ifndef PHI_INSPECT_H
#define PHI_INSPECT_H

#include "formats/core/loss.h"
#include "formats/core/plan.h"
#include "formats/core/reduce.h"
#include "formats/core/source.h"
#include "inspect/table.h"

#include <stdio.h>

struct phi_inspect_options {
	size_t size;
	enum phi_style style;
	bool full;  /* long arrays and strings whole */
	bool sum;   /* sha256 of each tensor's contiguous little-endian bytes */
	bool stats; /* of each tensor's values */
	bool color;
	unsigned depth;	  /* components of a module's name; 0: all */
	const char *path; /* one of several models: JSON and CSV begin with it; or NULL */
	bool headless;	  /* CSV: the header was printed for an earlier model */
	const char *const *only, *const *exclude; /* NULL-ended, or NULL */
	unsigned jobs;
	const struct phi_converters *converters; /* for `stats` */
	const struct phi_spool_options *spool;
	/* Called while weights are read, with bytes done and in all; or NULL. */
	void (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *progress_ctx;
};

/* Prints the description; fails if only and exclude leave no tensor of those there are. Reads weights only
 * for `sum` and `stats`, and of a pipe, which is read to its end. */
int phi_inspect_print(struct phi_source *source, const struct phi_inspect_options *options,
	FILE *out, struct phi_err *err);

/* --check: prints a line for each finding: of the format (source.h), of the model's family, and of
 * weights that are not finite, all of which are read. A sequential source is spooled, and its format is not asked. */
int phi_check_print(struct phi_source *source, const struct phi_inspect_options *options, FILE *out,
	bool *valid, struct phi_err *err);
/* The same for a file that could not be opened as a model: its one finding is why. */
int phi_check_print_unreadable(const char *path, const struct phi_err *why,
	const struct phi_inspect_options *options, FILE *out, struct phi_err *err);
/* --quick: what can be told without reading weights: the model was opened, so all of it is inside the file;
 * here whether there is something behind it. A pipe is read to its checked end. */
int phi_check_quick(struct phi_source *source, bool *valid, struct phi_err *err);
/* --scan: prints a line for each finding (formats.h). Something dangerous or suspicious was found, or
 * nothing was but not everything could be examined, or neither. */
enum phi_scan_verdict { PHI_SCAN_CLEAN, PHI_SCAN_FOUND, PHI_SCAN_UNKNOWN };
int phi_scan_print(struct phi_store *store, const struct phi_inspect_options *options, FILE *out,
	enum phi_scan_verdict *verdict, struct phi_err *err);
/* --layout: prints every byte of the files as a table of regions. Not of a sequential source. */
int phi_layout_print(struct phi_source *source, const struct phi_inspect_options *options, FILE *out,
	struct phi_err *err);

/* --graph: how often each operator is there, then the nodes; JSON, JSON lines and CSV: the nodes. Fails if the
 * model has no graph. Not of a sequential source. */
int phi_graph_print(struct phi_source *source, const struct phi_inspect_options *options, FILE *out,
	struct phi_err *err);

enum { PHI_BLOCKS_MAX = 64 };

struct phi_importance_list; /* quant/importance.h */

struct phi_diff_options {
	size_t size;
	enum phi_style style;
	bool brief, strict, color;
	bool metadata; /* that alone: no weights are read */
	bool tensors;  /* text: every pair in the table, equal ones, too */
	bool heatmap;  /* text: layers and modules */
	bool stats;    /* of the values of both sides */
	unsigned blocks; /* so many of the worst blocks, up to PHI_BLOCKS_MAX */
	/* --tolerance; negative: not given */
	double max_abs, rmse, relative, sqnr;
	const char *const *only, *const *exclude; /* NULL-ended, or NULL */
	/* --imatrix: errors are also given as the columns' importance weighs them; or NULL. */
	const struct phi_importance_list *importance;
	unsigned jobs;
	const struct phi_converters *converters;
	const struct phi_spool_options *spool;
	void (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *progress_ctx;
};

/* Compares two models, tensors paired by canonical name; prints; *differs says the exit status. */
int phi_diff_print(struct phi_source *a, struct phi_source *b, const struct phi_diff_options *options,
	FILE *out, bool *differs, struct phi_err *err);

struct phi_plan_print_options {
	size_t size;
	bool json, color;
	bool why;	    /* what chose each type */
	const char *output; /* the name to show for the output itself */
};

/* Prints every item of a completed, measured plan: how it is made, types, name, file, offset, size. */
int phi_plan_print(const struct phi_plan *plan, const struct phi_plan_print_options *options,
	FILE *out, struct phi_err *err);

/* --report: what each tensor of a plan became and lost, one of `losses` each (pump.h). */
int phi_losses_print(const struct phi_plan *plan, const struct phi_loss *losses,
	const struct phi_plan_print_options *options, FILE *out, struct phi_err *err);

struct phi_target;
struct phi_aim_print_options {
	size_t size;
	bool color;
	uint64_t overhead; /* bytes of the file beside the surveyed tensors */
};

/* --target-size: the curve of noise against size, and where on it the choice lies. */
void phi_aim_print(const struct phi_target *target, const struct phi_aim_print_options *options, FILE *out);

/* Prints a lowered model's tensors with their old and new type and what chose it. */
void phi_explain_print(const struct phi_model *lowered, bool color, FILE *out);

#endif
