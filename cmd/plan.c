/* Describe, lower, choose, plan: the pure steps of a conversion. */
#include "cmd/job.h"
#include "cmd/process.h"
#include "formats/core/memory.h"
#include "formats/core/ranges.h"
#include "formats/core/survey_range.h"

#include <string.h>

static bool
canonical_recipe(const char *recipe)
{
	return !strcmp(recipe, "f32") || !strcmp(recipe, "f16") || !strcmp(recipe, "bf16");
}

static bool
is_ggml(const struct phi_type *type)
{
	return type->class == PHI_CLASS_BLOCK && type->ggml >= 0;
}

/* Is the recipe a type of another runtime's than ggml? */
static bool
foreign_recipe(const char *recipe)
{
	const struct phi_type *const type = phi_type_named(recipe);
	return type && type->class == PHI_CLASS_BLOCK && type->ggml < 0;
}

/* Do the rules ask for types that only GGUF holds? */
static bool
block_rules(const struct cli_choice *choice)
{
	for (size_t i = 0; i < choice->nrules; i++)
		if (choice->rules[i].type && is_ggml(choice->rules[i].type))
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
	if (job->choice->recipe ? !canonical_recipe(job->choice->recipe) && !foreign_recipe(job->choice->recipe)
				  : block_rules(job->choice))
		return "gguf";
	return "stream";
}

/* What several runtimes have is not guessed. */
static int
check_named(const struct job *job, struct phi_err *err)
{
	const struct cli_choice *const choice = job->choice;
	const char *const view = job->source->model->view;
	if (choice->recipe && !choice->target && !strcmp(view, "canonical") && phi_recipe_needs_target(choice->recipe))
		return phi_fail(err, PHI_ARGUMENT, "-t %s: mid-pipe, name the runtime: -t mlx:%s", choice->recipe,
			choice->recipe);
	return 0;
}

/* Options that not every target has. */
static int
check_target(const struct job *job, struct phi_err *err)
{
	const struct cli *const cli = job->cli;
	const struct phi_graph_options *const g = &cli->asked_graph;
	const char *const name = job->target->name;
	const bool onnx = !strncmp(name, "onnx", 4);
	if (cli->group && strcmp(name, "mlx") && !onnx)
		return phi_fail(err, PHI_ARGUMENT, "--group is for MLX and ONNX, not %s", name);
	if (cli->sym && cli->asym)
		return phi_fail(err, PHI_ARGUMENT, "--sym and --asym exclude each other");
	if (!onnx && (cli->sym || cli->asym || g->qdq || g->accuracy || g->algorithm || g->device))
		return phi_fail(err, PHI_ARGUMENT, "--algo, --sym, --asym, --qdq, --accuracy-level and --for are for "
			"ONNX, not %s", name);
	if (!onnx && g->keep_io)
		return phi_fail(err, PHI_ARGUMENT, "--keep-io is for ONNX, not %s", name);
	if (!onnx && (g->per_channel || g->reduced || cli->ranges))
		return phi_fail(err, PHI_ARGUMENT, "--per-channel, --reduce-range and --ranges are for ONNX, not %s", name);
	const char *const recipe = job->choice ? job->choice->recipe : NULL;
	if (cli->ranges && (!recipe || (strcmp(recipe, "w8a8") && strcmp(recipe, "w8a16"))))
		return phi_fail(err, PHI_ARGUMENT, "--ranges is for w8a8 and w8a16");
	if (g->accuracy > 4)
		return phi_fail(err, PHI_ARGUMENT, "--accuracy-level is 1 to 4, not %u", g->accuracy);
	return 0;
}

/* A stream that was made for a runtime's folder goes into that folder, where the path says no more than "folder". */
static void
follow_view(struct job *job)
{
	const struct phi_format *const made_for = phi_format_named(job->source->model->view);
	if (!job->cli->format && (job->format->flags & PHI_FORMAT_FOLDER) && made_for &&
		(made_for->flags & PHI_FORMAT_FOLDER))
		job->format = made_for;
}

/* What --keep names may be nodes of a graph, which rules know nothing of. */
static int
note_kept(struct job *job, struct phi_err *err)
{
	const struct cli_choice *const choice = job->choice;
	job->keep = phi_calloc(choice->nrules + 1, sizeof *job->keep, err);
	for (size_t i = 0; job->keep && i < choice->nrules; i++)
		if (!choice->rules[i].type)
			job->keep[job->graph.nkeep++] = choice->rules[i].glob;
	job->graph.keep = job->keep;
	return job->keep ? 0 : -1;
}

int
job_find_target(struct job *job, struct phi_err *err)
{
	follow_view(job);
	job->target = job->format;
	job->graph = job->cli->asked_graph;
	job->graph.group = job->cli->group;
	job->graph.symmetry = job->cli->sym ? PHI_SYMMETRY_YES : job->cli->asym ? PHI_SYMMETRY_NO : PHI_SYMMETRY_OWN;
	if (job->cli->ranges && !(job->ranges = phi_ranges_open(job->cli->ranges, err)))
		return -1;
	job->graph.ranges = job->ranges;
	if (!job->choice)
		return check_target(job, err);
	if (note_kept(job, err) < 0)
		return -1;
	const char *const asked = job->choice->target;
	if (!strcmp(job->format->name, "stream")) {
		if (check_named(job, err))
			return -1;
		const char *const name = stream_target(job);
		job->target = phi_format_in_folder(name);
		if (!job->target)
			return phi_fail(err, PHI_ARGUMENT, "there is no target %s (see --help)", name);
	} else if (asked && strcmp(asked, job->format->name) &&
		(!job->format->folder_of || strcmp(asked, job->format->folder_of))) {
		return phi_fail(err, PHI_ARGUMENT, "-t %s:%s does not go into a %s output", asked,
			job->choice->recipe, job->format->name);
	}
	return check_target(job, err);
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

struct phi_recipe_options
job_recipe(const struct job *job, const struct phi_rule *rules, size_t nrules)
{
	const struct cli *const cli = job->cli;
	return (struct phi_recipe_options){.size = sizeof(struct phi_recipe_options), .pure = cli->pure,
		.rules = rules, .nrules = nrules, .output_type = cli->output_type,
		.embedding_type = cli->embedding_type,
		.importance = job->choice ? job->choice->importance : NULL, .compat = cli->compat,
		.from_quantized = cli->from_quantized, .group = cli->group, .graph = &job->graph,
		.keep_codes = cli->keep_codes, .lossless = cli->lossless, .lenient = cli->dry_run};
}

/* The recipe's types, or those the model came with, then the rules'. What the target demands stays. */
static int
choose(struct job *job, struct phi_model *lowered, const char *recipe, struct phi_err *err)
{
	const struct cli_choice none = {.recipe = NULL};
	const struct cli_choice *const choice = job->choice ? job->choice : &none;
	const bool chosen = choice->recipe != NULL;
	if (!job->choice && !recipe && !job->cli->lossless && !job->cli->keep_codes)
		return 0;
	struct phi_rule *const rules = phi_calloc(choice->nrules + 1, sizeof *rules, err);
	if (!rules)
		return -1;
	rules[0] = (struct phi_rule){.glob = "*"}; /* keep */
	if (choice->nrules)
		memcpy(rules + 1, choice->rules, choice->nrules * sizeof *rules);
	struct phi_recipe_options options = job_recipe(job, rules + chosen, choice->nrules + !chosen);
	options.recipe = chosen ? recipe : NULL;
	const int result = phi_choose(lowered, &options, err);
	phi_free(rules);
	if (!chosen)
		lowered->recipe = recipe;
	return result;
}

struct phi_model *
job_lower(struct job *job, struct phi_err *err)
{
	const struct cli *const cli = job->cli;
	const struct phi_lower_options options = {.size = sizeof options, .name = cli->name,
		.pre = cli->pre, .recipe = recipe_of(job), .pure = cli->pure,
		.importance = job->choice && job->choice->importance ? &job->choice->note : NULL,
		.faults = cli->compat != PHI_COMPAT_NONE, .keep_order = cli->keep_split,
		.keep_all = cli->keep_all, .graph = &job->graph};
	struct phi_model *const lowered = phi_lower(job->source->model, job->target, &options, err);
	if (!lowered) {
		phi_source_blame(job->source, PHI_NONE, err);
	} else if (cli_pick(cli, lowered, err)) {
		phi_model_free(lowered);
		return NULL;
	}
	return lowered;
}

static const struct phi_converters *
converters(const struct cli *cli)
{
	const enum phi_algorithm algorithm = cli->asked_graph.algorithm;
	if (algorithm != PHI_ALGORITHM_DEFAULT)
		return algorithm == PHI_ALGORITHM_RTN ? &phi_quant_rtn : &phi_quant_k_quant;
	return cli->lossless	 ? &phi_quant_lossless
		: cli->keep_codes ? &phi_quant_keeping_codes
		: cli->search ? &phi_quant_searching
		: cli->asked_graph.qdq ? &phi_quant_qdq
		: cli->compat  ? &phi_quant_as_llama
			       : &phi_quant_converters;
}

struct phi_pump_options
job_pump_options(const struct job *job)
{
	return (struct phi_pump_options){.size = sizeof(struct phi_pump_options),
		.jobs = job->cli->jobs, .overflow = job->cli->overflow,
		.converters = converters(job->cli),
		.memory = job->cli->memory, .spool = &job->spool};
}

/* Takes the model. */
struct phi_plan *
job_plan_of(const struct job *job, struct phi_model *lowered, const struct phi_format *format,
	struct phi_err *err)
{
	const struct cli *const cli = job->cli;
	const char *const slash = cli->output ? strrchr(cli->output, '/') : NULL;
	const struct phi_plan_options options = {.size = sizeof options,
		.output = job_to_stdout(cli) ? NULL : slash ? slash + 1 : cli->output,
		.compress = cli->compress, .external = cli->external, .shard_size = cli->shard_size,
		.shard_count = cli->shard_count, .keep_parts = cli->keep_split, .graph = &job->graph,
		.faults = cli->compat != PHI_COMPAT_NONE};
	return phi_plan_make(lowered, format, &options, err);
}

static int
tied(struct job *job, struct phi_err *err)
{
	return phi_check_tied(job->source, &job->spool, err) < 0
		? phi_source_blame(job->source, PHI_NONE, err) : 0;
}

/* The stream has no place for scales that are not in the weights' blocks. */
static int
check_scaled(const struct job *job, const struct phi_model *lowered, struct phi_err *err)
{
	for (size_t i = 0; i < lowered->ntensors; i++)
		if (phi_tensor_is_scaled(&lowered->tensors[i]) && strcmp(job->format->name, job->target->name))
			return phi_fail(err, PHI_UNSUPPORTED, "%s goes into an ONNX file at once, not into a %s",
				lowered->recipe ? lowered->recipe : "a scaled type", job->format->name);
		else if (phi_tensor_is_scaled(&lowered->tensors[i]) && job->cli->report)
			return phi_fail(err, PHI_UNSUPPORTED, "--report does not measure weights with one scale; phi-diff does");
	return 0;
}

/* Scales that are made of all of a tensor. They take as many bytes whatever they are, so -n does without. */
static int
survey_ranges(struct job *job, struct phi_model *lowered, struct phi_err *err)
{
	struct process_bar bar;
	const struct phi_reduce_options options = {.size = sizeof options, .jobs = job->cli->jobs,
		.converters = &phi_quant_converters, .spool = &job->spool, .progress = process_bar_draw,
		.progress_ctx = &bar};
	process_bar_begin(&bar, job->cli);
	const int result = phi_survey_range(job->source, lowered, &options, err);
	process_bar_end(&bar);
	return result ? phi_source_blame(job->source, PHI_NONE, err) : 0;
}

int
job_plan(struct job *job, struct phi_err *err)
{
	const struct cli *const cli = job->cli;
	struct phi_model *const lowered = job_lower(job, err);
	if (!lowered)
		return -1;
	/* A copy of a folder is as it was; of what is made anew it must be known what it means. */
	if ((!cli->dry_run && strcmp(lowered->view, "canonical") && tied(job, err)) ||
		choose(job, lowered, recipe_of(job), err) ||
		phi_edit_model(lowered, job->format, cli->edits.items, cli->edits.count, err)) {
		phi_model_free(lowered);
		return -1;
	}
	if (check_scaled(job, lowered, err) ||
		(!cli->dry_run && phi_survey_range_needed(lowered) && survey_ranges(job, lowered, err))) {
		phi_model_free(lowered);
		return -1;
	}
	const struct phi_pump_options pump = job_pump_options(job);
	job->plan = job_plan_of(job, lowered, job->format, err);
	return job->plan ? phi_plan_measure(job->plan, job->source, &pump, err) : -1;
}
