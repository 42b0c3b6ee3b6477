#include "cmd/convert.h"

#include "cmd/process.h"
#include "formats/core/memory.h"
#include "inspect/inspect.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct job {
	const struct cli *cli;
	const struct cli_choice *choice; /* or NULL */
	const struct phi_format *format; /* of what is written */
	const struct phi_format *target; /* whose names and types: format, or what the stream carries */
	char beside[4096];
	struct phi_spool_options spool;
	struct phi_output *output;
	struct phi_source *source;
	struct phi_plan *plan;
	struct phi_sink *sink;
	struct phi_loss *losses; /* --report: of each tensor of the plan */
};

static bool
to_stdout(const struct cli *cli)
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

/* The format written: -f, else the suffix of -o, else the stream. */
static int
find_format(struct job *job, struct phi_err *err)
{
	const struct cli *const cli = job->cli;
	const char *const named = cli->format ? cli->format : to_stdout(cli) ? "stream" : NULL;
	job->format = named ? phi_format_named(named) : phi_format_suffix(cli->output);
	if (!job->format && named)
		return phi_fail(err, PHI_ARGUMENT, "there is no format %s (see --help)", named);
	if (!job->format)
		return phi_fail(err, PHI_ARGUMENT,
			"%s: the suffix names no format; name one with -f (see --help)", cli->output);
	if (!job->format->complete)
		return phi_fail(err, PHI_UNSUPPORTED, "%s can be read, not written",
			job->format->name);
	if (to_stdout(cli) && !(job->format->flags & PHI_FORMAT_FLOWS_OUT))
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
	if (cli->merge && cli->noperands < 2)
		return phi_fail(err, PHI_ARGUMENT, "--merge: two models or more are needed (see --help)");
	for (unsigned i = 0; i < cli->noperands && !to_stdout(cli); i++)
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
		!cli->lora.count;
	const struct phi_open_options options = {.size = sizeof options, .name = cli->name,
		.spool = &job->spool, .members = members};
	struct phi_source *source = cli->merge
		? phi_open_joined(cli->operands, cli->noperands, &options, err)
		: cli_source(cli, cli->noperands ? cli->operands[0] : NULL, members, &job->spool, err);
	if (cli->merge && source)
		cli_warn(cli, source->model);
	for (size_t i = 0; source && i < cli->lora.count; i++)
		source = adapt(source, cli->lora.items[i], &options, err);
	return source;
}

static int
open_output(struct job *job, struct phi_err *err)
{
	const struct cli *const cli = job->cli;
	const enum phi_output_kind kind = to_stdout(cli)		     ? PHI_OUTPUT_STDOUT
		: job->format->flags & PHI_FORMAT_FOLDER ? PHI_OUTPUT_FOLDER
							     : PHI_OUTPUT_FILES;
	const struct phi_output_options options = {.force = cli->force, .no_sync = cli->no_sync};
	job->output = phi_output_open(kind, to_stdout(cli) ? NULL : cli->output, &options, err);
	return job->output ? 0 : -1;
}

static bool
canonical_recipe(const char *recipe)
{
	return !strcmp(recipe, "f32") || !strcmp(recipe, "f16") || !strcmp(recipe, "bf16");
}

/* Do the rules ask for types that only GGUF holds? */
static bool
block_rules(const struct cli_choice *choice)
{
	for (size_t i = 0; i < choice->nrules; i++)
		if (choice->rules[i].type && choice->rules[i].type->class == PHI_CLASS_BLOCK)
			return true;
	return false;
}

/* The target of a stream: what -t names, else the view the model has already, else GGUF for the recipes
 * that are GGUF's, else none (the stream itself, which lowers nothing). */
static const char *
stream_target(const struct job *job)
{
	const char *const view = job->source->model->view;
	if (job->choice->target)
		return job->choice->target;
	if (view && strcmp(view, "canonical"))
		return view;
	if (job->choice->recipe ? !canonical_recipe(job->choice->recipe) : block_rules(job->choice))
		return "gguf";
	return "stream";
}

static int
find_target(struct job *job, struct phi_err *err)
{
	job->target = job->format;
	if (!job->choice)
		return 0;
	const char *const asked = job->choice->target;
	if (!strcmp(job->format->name, "stream")) {
		const char *const name = stream_target(job);
		job->target = phi_format_named(name);
		if (!job->target)
			return phi_fail(err, PHI_ARGUMENT, "there is no target %s (see --help)", name);
	} else if (asked && strcmp(asked, job->format->name)) {
		return phi_fail(err, PHI_ARGUMENT, "-t %s:%s does not go into a %s output", asked,
			job->choice->recipe, job->format->name);
	}
	return 0;
}

/* What the target is told to make. A canonical stream says which recipe made it, so that "f32, asked for"
 * is not taken for "nothing asked"; where only rules were given, that is said with "auto". A model that
 * was lowered already is as its recipe wants it. */
static const char *
recipe_of(const struct job *job)
{
	const struct phi_model *const model = job->source->model;
	if (job->choice && job->choice->recipe)
		return job->choice->recipe;
	if (strcmp(model->view, "canonical"))
		return NULL;
	return model->recipe || !job->choice ? model->recipe : "auto";
}

/* The recipe's types, or those the model came with, then the rules'. What the target demands stays. */
static int
choose(struct job *job, struct phi_model *lowered, const char *recipe, struct phi_err *err)
{
	const struct cli *const cli = job->cli;
	const struct cli_choice none = {.recipe = NULL};
	const struct cli_choice *const choice = job->choice ? job->choice : &none;
	const bool chosen = choice->recipe != NULL;
	if (!job->choice && !recipe)
		return 0;
	struct phi_rule *const rules = phi_calloc(choice->nrules + 1, sizeof *rules, err);
	if (!rules)
		return -1;
	rules[0] = (struct phi_rule){.glob = "*"}; /* keep */
	if (choice->nrules)
		memcpy(rules + 1, choice->rules, choice->nrules * sizeof *rules);
	const struct phi_recipe_options options = {.size = sizeof options,
		.recipe = chosen ? recipe : NULL, .pure = cli->pure, .rules = rules + chosen,
		.nrules = choice->nrules + !chosen, .output_type = cli->output_type,
		.embedding_type = cli->embedding_type, .importance = choice->importance,
		.compat = cli->compat, .from_quantized = cli->from_quantized,
		.lenient = cli->dry_run};
	const int result = phi_choose(lowered, &options, err);
	phi_free(rules);
	if (!chosen)
		lowered->recipe = recipe;
	return result;
}

/* The model as the target sees it, with its types. */
static struct phi_model *
lower(struct job *job, struct phi_err *err)
{
	const struct cli *const cli = job->cli;
	const char *const recipe = recipe_of(job);
	const struct phi_lower_options options = {.size = sizeof options, .name = cli->name,
		.pre = cli->pre, .recipe = recipe, .pure = cli->pure,
		.importance = job->choice && job->choice->importance ? &job->choice->note : NULL,
		.faults = cli->compat != PHI_COMPAT_NONE, .keep_order = cli->keep_split};
	struct phi_model *const lowered = phi_lower(job->source->model, job->target, &options, err);
	if (!lowered)
		phi_source_blame(job->source, PHI_NONE, err);
	else if (cli_pick(cli, lowered, err) || choose(job, lowered, recipe, err) ||
		phi_edit_model(lowered, job->format, cli->edits.items, cli->edits.count, err)) {
		phi_model_free(lowered);
		return NULL;
	}
	return lowered;
}

static struct phi_pump_options
pump_options(const struct job *job)
{
	return (struct phi_pump_options){.size = sizeof(struct phi_pump_options),
		.jobs = job->cli->jobs, .overflow = job->cli->overflow,
		.converters = job->cli->search ? &phi_quant_searching : &phi_quant_converters,
		.memory = job->cli->memory, .spool = &job->spool};
}

static int
make_plan(struct job *job, struct phi_err *err)
{
	struct phi_model *const lowered = lower(job, err);
	if (!lowered)
		return -1;
	const char *const slash = job->cli->output ? strrchr(job->cli->output, '/') : NULL;
	const struct phi_plan_options options = {.size = sizeof options,
		.output = to_stdout(job->cli) ? NULL : slash ? slash + 1 : job->cli->output,
		.compress = job->cli->compress, .shard_size = job->cli->shard_size,
		.shard_count = job->cli->shard_count, .keep_parts = job->cli->keep_split,
		.faults = job->cli->compat != PHI_COMPAT_NONE};
	const struct phi_pump_options pump = pump_options(job);
	job->plan = phi_plan_make(lowered, job->format, &options, err);
	return job->plan ? phi_plan_measure(job->plan, job->source, &pump, err) : -1;
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
	FILE *const out = to_stdout(job->cli) ? stderr : stdout;
	const struct phi_plan_print_options options = {.size = sizeof options,
		.json = job->cli->json, .color = cli_colored(job->cli, out)};
	return phi_losses_print(job->plan, job->losses, &options, out, err);
}

static int
run_plan(struct job *job, struct phi_err *err)
{
	const struct cli *const cli = job->cli;
	if (process_confine(cli, to_stdout(cli) ? NULL : cli->output, false, err))
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
	struct phi_pump_options pump = pump_options(job);
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
	return result || !cli->report ? result : print_report(job, err);
}

static int
run(struct job *job, struct phi_err *err)
{
	const struct cli *const cli = job->cli;
	if (find_format(job, err) || check_operands(job, err) ||
		(!cli->dry_run && open_output(job, err)))
		return -1;
	if (!to_stdout(cli))
		job->spool.beside = process_parent(cli->output, job->beside, sizeof job->beside);
	job->source = open_input(job, err);
	if (!job->source || find_target(job, err) || make_plan(job, err))
		return -1;
	cli_warn(cli, job->plan->model);
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
	phi_free(job.losses);
	return failed ? cli_trouble(cli, &err) : CLI_DONE;
}
