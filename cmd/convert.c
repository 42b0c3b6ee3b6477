#include "cmd/job.h"
#include "cmd/process.h"
#include "cmd/report.h"
#include "formats/core/memory.h"
#include "formats/core/ranges.h"
#include "inspect/inspect.h"
#include "quant/importance.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool
job_to_stdout(const struct cli *cli)
{
	return !cli->output || !strcmp(cli->output, "-");
}

struct phi_source *
cli_source(const struct cli *cli, const char *path, bool members,
	const struct phi_spool_options *spool,
	struct phi_err *err)
{
	const struct phi_open_options options = {.size = sizeof options, .name = cli->name,
		.spool = spool, .random = cli->check || cli->layout, .members = members};
	if (!path && isatty(STDIN_FILENO)) {
		phi_fail(err, PHI_ARGUMENT, "no input: name a model or pipe one in (see --help)");
		return NULL;
	}
	struct phi_source *const source = phi_open(path, &options, err);
	if (source && !cli->check)
		cli_warn(cli, source->model);
	return source;
}

struct phi_importance_list *
cli_importance(const struct cli *cli, struct phi_err *err)
{
	const struct phi_open_options options = {.size = sizeof options, .random = true, .members = true};
	struct phi_source *const source = phi_open(cli->imatrix, &options, err);
	struct phi_importance_list *const list = source ? phi_importance_read(source, err) : NULL;
	if (!list)
		phi_source_close(source);
	return list;
}

int
cli_pick(const struct cli *cli, struct phi_model *model, struct phi_err *err)
{
	if (!cli->only.count && !cli->exclude.count)
		return 0;
	phi_model_pick(model, cli->only.count ? cli->only.items : NULL, cli->only.count,
		cli->exclude.items, cli->exclude.count);
	if (!model->ntensors)
		return phi_fail(err, PHI_ARGUMENT, "--only and --exclude leave no tensor");
	return 0;
}

static bool
is_folder(const char *path)
{
	const struct phi_format *const format = phi_format_suffix(path);
	return format && (format->flags & PHI_FORMAT_FOLDER);
}

/* The folder of the runtime that -t names, where -o is a folder. */
static const char *
targets_folder(const struct job *job)
{
	const char *const target = job->choice ? job->choice->target : NULL;
	const struct phi_format *const format = target ? phi_format_in_folder(target) : NULL;
	return format && is_folder(job->cli->output) && (format->flags & PHI_FORMAT_FOLDER) ? target : NULL;
}

static const struct phi_format *
format_named(const struct cli *cli, const char *name)
{
	return !job_to_stdout(cli) && is_folder(cli->output) ? phi_format_in_folder(name) : phi_format_named(name);
}

/* The format written: -f, else the suffix of -o, else the stream. */
static int
find_format(struct job *job, struct phi_err *err)
{
	const struct cli *const cli = job->cli;
	const char *const named = cli->format ? cli->format : job_to_stdout(cli) ? "stream" : targets_folder(job);
	job->format = named ? format_named(cli, named) : phi_format_suffix(cli->output);
	if (!job->format && named)
		return phi_fail(err, PHI_ARGUMENT, "there is no format %s (see --help)", named);
	if (!job->format)
		return phi_fail(err, PHI_ARGUMENT,
			"%s: the suffix names no format; name one with -f (see --help)", cli->output);
	if (!job->format->complete)
		return phi_fail(err, PHI_UNSUPPORTED, "%s can be read, not written",
			job->format->name);
	if (job_to_stdout(cli) && !(job->format->flags & PHI_FORMAT_FLOWS_OUT))
		return phi_fail(err, PHI_ARGUMENT,
			"%s cannot be written to a pipe; name the output with -o", job->format->name);
	if (cli->compress && strcmp(job->format->name, "stream"))
		return phi_fail(err, PHI_ARGUMENT, "-z compresses the stream only, not %s",
			job->format->name);
	return 0;
}

/* An existing input that is also the output would be read while its name goes to another file: legal,
 * but hardly meant. */
static int
check_operands(const struct job *job, struct phi_err *err)
{
	const struct cli *const cli = job->cli;
	struct stat in, out;
	if (cli->noperands > 1 && !cli->merge)
		return phi_fail(err, PHI_ARGUMENT, "too many operands (see --help)");
	if (cli->lossless + cli->keep_codes + cli->search + (cli->asked_graph.algorithm != PHI_ALGORITHM_DEFAULT) > 1)
		return phi_fail(err, PHI_ARGUMENT, "--lossless, --keep-codes, --search and --algo exclude each other");
	if (cli->merge && cli->noperands < 2)
		return phi_fail(err, PHI_ARGUMENT, "--merge: two models or more are needed (see --help)");
	for (unsigned i = 0; i < cli->noperands && !job_to_stdout(cli); i++)
		if (strcmp(cli->operands[i], "-") && !stat(cli->operands[i], &in) &&
			!stat(cli->output, &out) && in.st_dev == out.st_dev &&
			in.st_ino == out.st_ino)
			return phi_fail(err, PHI_ARGUMENT, "%s: input and output are the same",
				cli->output);
	return 0;
}

/* ADAPTER:SCALE; what follows the last colon is a scale if it is a number. */
static struct phi_source *
adapt(struct phi_source *base, const char *text,
	const struct phi_open_options *options, struct phi_err *err)
{
	char path[4096];
	char *end = NULL;
	const char *const colon = strrchr(text, ':');
	const double scale = colon && colon[1] ? strtod(colon + 1, &end) : 0;
	const bool scaled = end && !*end && end != colon + 1;
	const size_t n = scaled ? (size_t)(colon - text) : strlen(text);
	if (n >= sizeof path || (scaled && !isfinite(scale))) {
		phi_fail(err, PHI_ARGUMENT, "--lora %s: ADAPTER or ADAPTER:SCALE is expected", text);
		phi_source_close(base);
		return NULL;
	}
	memcpy(path, text, n);
	path[n] = '\0';
	return phi_open_adapted(base, path, scaled ? scale : NAN, &phi_quant_converters, options, err);
}

/* The model to be written: the operand, or all of them, with the adapters. */
static struct phi_source *
open_input(struct job *job, struct phi_err *err)
{
	const struct cli *const cli = job->cli;
	/* Copied as they are, or decoded: model.h. */
	const bool members = !job->choice && (job->format->flags & PHI_FORMAT_MEMBERS) &&
		!cli->lora.count && !cli->template;
	const struct phi_open_options options = {.size = sizeof options, .name = cli->name,
		.spool = &job->spool, .members = members};
	struct phi_source *source = cli->merge
		? phi_open_joined(cli->operands, cli->noperands, &options, err)
		: cli_source(cli, cli->noperands ? cli->operands[0] : NULL, members, &job->spool, err);
	if (cli->merge && source)
		cli_warn(cli, source->model);
	for (size_t i = 0; source && i < cli->lora.count; i++)
		source = adapt(source, cli->lora.items[i], &options, err);
	if (source && cli->template) {
		source = phi_open_template(source, cli->template, &options, err);
		if (source)
			cli_warn(cli, source->model);
	}
	return source;
}

static int
open_output(struct job *job, struct phi_err *err)
{
	const struct cli *const cli = job->cli;
	const enum phi_output_kind kind = job_to_stdout(cli)		     ? PHI_OUTPUT_STDOUT
		: job->format->flags & PHI_FORMAT_FOLDER ? PHI_OUTPUT_FOLDER
							     : PHI_OUTPUT_FILES;
	const struct phi_output_options options = {.force = cli->force, .no_sync = cli->no_sync};
	job->output = phi_output_open(kind, job_to_stdout(cli) ? NULL : cli->output, &options, err);
	return job->output ? 0 : -1;
}

static int
print_plan(const struct job *job, struct phi_err *err)
{
	const struct phi_plan_print_options options = {.size = sizeof options,
		.json = job->cli->json, .color = cli_colored(job->cli, stdout),
		.why = job->cli->explain, .output = job->cli->output};
	return phi_plan_print(job->plan, &options, stdout, err);
}

/* Where the model does not go. */
static int
print_report(const struct job *job, struct phi_err *err)
{
	FILE *const out = job_to_stdout(job->cli) ? stderr : stdout;
	const struct phi_plan_print_options options = {.size = sizeof options,
		.json = job->cli->json, .color = cli_colored(job->cli, out)};
	return phi_losses_print(job->plan, job->losses, &options, out, err);
}

static int
run_plan(struct job *job, struct phi_err *err)
{
	const struct cli *const cli = job->cli;
	if (process_confine(cli, job_to_stdout(cli) ? NULL : cli->output, false, err))
		return -1;
	struct phi_output *const output = job->output;
	if (phi_output_protect(output, job->source->outer, err))
		return -1;
	job->output = NULL; /* the sink takes it */
	job->sink = phi_sink_open(job->plan, output, err);
	if (!job->sink)
		return -1;
	struct process_bar bar;
	process_bar_begin(&bar, cli);
	struct phi_pump_options pump = job_pump_options(job);
	if (cli->report) {
		job->losses = phi_calloc(job->plan->model->ntensors + 1, sizeof *job->losses, err);
		if (!job->losses)
			return -1;
		pump.losses = job->losses;
	}
	pump.progress = process_bar_draw;
	pump.progress_ctx = &bar;
	const int result = phi_pump(job->source, job->sink, &pump, err);
	process_bar_end(&bar);
	if (!result && cli->keep_codes && !cli->quiet)
		fprintf(stderr, "%s: scales rounded by %.3g units in the last place at most\n", cli->tool->name,
			(double)phi_quant_rounded());
	return result || !cli->report ? result : print_report(job, err);
}

/* The plan as -n --json prints it, for --recipe. */
static int
write_recipe(const struct job *job, struct phi_err *err)
{
	struct cli_report report;
	const struct phi_plan_print_options options = {.size = sizeof options, .json = true,
		.why = true, .output = job->cli->output};
	const bool good = !cli_report_to(&report, job->cli->write_recipe, job->cli, err) &&
		!phi_plan_print(job->plan, &options, report.out, err);
	return cli_report_end(&report, good, err) || !good ? -1 : 0;
}

/* A GGUF that is to become a checkpoint. What is said of that comes after what was said of the file. */
static int
settle_names(struct job *job, struct phi_err *err)
{
	struct phi_model *const model = job->source->model;
	if (!(job->target->flags & PHI_FORMAT_CANONICAL))
		return 0;
	model->nwarnings = 0;
	if (phi_source_canonical(job->source, job->cli->pre, &job->spool, err) < 0)
		return phi_source_blame(job->source, PHI_NONE, err);
	cli_warn(job->cli, model);
	return 0;
}

static bool
is_aimed(const struct cli *cli)
{
	return cli->target_size || cli->target_bpw > 0;
}

static int
run(struct job *job, struct phi_err *err)
{
	const struct cli *const cli = job->cli;
	if (find_format(job, err) || check_operands(job, err) ||
		(!cli->dry_run && open_output(job, err)))
		return -1;
	if (!job_to_stdout(cli))
		job->spool.beside = process_parent(cli->output, job->beside, sizeof job->beside);
	job->source = open_input(job, err);
	if (!job->source || job_find_target(job, err) || settle_names(job, err) ||
		(is_aimed(cli) && job_aim(job, err)) || job_plan(job, err))
		return -1;
	cli_warn(cli, job->plan->model);
	if (cli->write_recipe && write_recipe(job, err))
		return -1;
	if (cli->dry_run)
		return print_plan(job, err);
	if (cli->explain)
		phi_explain_print(job->plan->model, cli_colored(cli, stderr), stderr);
	return run_plan(job, err);
}

int
cli_convert(const struct cli *cli, const struct cli_choice *choice)
{
	struct phi_err err = {0};
	struct job job = {.cli = cli, .choice = choice, .spool = {.refuse = cli->no_spool}};
	const int failed = run(&job, &err);
	if (!failed && cli->verbose && !cli->dry_run)
		fprintf(stderr, "%s: %zu tensors, %s, %.1f MB held\n", cli->tool->name,
			job.plan->model->ntensors, job.plan->format->name,
			(double)job.plan->memory / 1e6);
	phi_sink_close(job.sink);
	phi_plan_free(job.plan);
	phi_output_close(job.output);
	phi_source_close(job.source);
	phi_ranges_close(job.ranges);
	phi_free(job.keep);
	phi_free(job.losses);
	job_aim_free(&job);
	return failed ? cli_trouble(cli, &err) : CLI_DONE;
}
