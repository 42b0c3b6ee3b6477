/* --target-size, --target-bpw: survey, then types under a budget. */
#include "cmd/job.h"
#include "cmd/process.h"
#include "formats/core/memory.h"
#include "inspect/inspect.h"

#include <inttypes.h>
#include <string.h>

/* All weights of the plan, and the bytes of their tensors. */
static uint64_t
weights_of(const struct phi_plan *plan, uint64_t *bytes)
{
	uint64_t weights = 0, n;
	*bytes = 0;
	for (size_t i = 0; i < plan->model->ntensors; i++)
		if (plan->model->tensors[i].alias == PHI_NONE &&
			phi_tensor_elements(&plan->model->tensors[i], &n)) {
			weights += n;
			*bytes += plan->bytes[i];
		}
	return weights;
}

/* What the budget leaves for the surveyed tensors, from a plan with the smallest types. */
static int
bytes_left(const struct job *job, const struct phi_plan *smallest, uint64_t *left, struct phi_err *err)
{
	const struct cli *const cli = job->cli;
	const uint64_t surveyed = phi_target_smallest(job->aim);
	uint64_t bytes, whole = phi_plan_size(smallest), budget = cli->target_size;
	const uint64_t weights = weights_of(smallest, &bytes);
	if (!budget) {
		whole = bytes;
		budget = (uint64_t)(cli->target_bpw * (double)weights / 8);
	}
	if (budget < whole)
		return phi_fail(err, PHI_UNSUPPORTED, "the smallest types make %" PRIu64 " bytes (%.3f bits a "
			"weight), more than the %" PRIu64 " asked for", whole, 8 * (double)bytes / (double)weights,
			budget);
	*left = budget - (whole - surveyed);
	return 0;
}

/* The rules of the survey, then the user's, which win. */
static int
adopt(struct job *job, struct phi_err *err)
{
	size_t n;
	const struct phi_rule *const rules = phi_target_rules(job->aim, &n);
	const struct cli_choice *const asked = job->choice;
	job->aimed_rules = phi_calloc(n + asked->nrules + 1, sizeof *job->aimed_rules, err);
	if (!job->aimed_rules)
		return -1;
	memcpy(job->aimed_rules, rules, n * sizeof *rules);
	if (asked->nrules)
		memcpy(job->aimed_rules + n, asked->rules, asked->nrules * sizeof *rules);
	job->aimed = *asked;
	job->aimed.rules = job->aimed_rules;
	job->aimed.nrules = n + asked->nrules;
	job->aimed.recipe = phi_target_recipe(job->aim);
	job->choice = &job->aimed;
	return 0;
}

static struct phi_target *
survey(struct job *job, struct phi_model *lowered, struct phi_err *err)
{
	struct process_bar bar;
	uint32_t alignment = 1;
	if (job->target->alignment &&
		job->target->alignment(lowered, job->cli->compat != PHI_COMPAT_NONE, &alignment, err))
		return NULL;
	const struct phi_recipe_options recipe =
		job_recipe(job, job->choice->rules, job->choice->nrules);
	const struct phi_target_options options = {.size = sizeof options, .recipe = &recipe,
		.converters = job_pump_options(job).converters,
		.alignment = alignment, .jobs = job->cli->jobs, .progress = process_bar_draw, .progress_ctx = &bar};
	process_bar_begin(&bar, job->cli);
	struct phi_target *const target = phi_target_survey(job->source, lowered, &options, err);
	process_bar_end(&bar);
	return target;
}

/* Surveys, and plans with the smallest types: what is left over is to be spent. */
static struct phi_plan *
plan_smallest(struct job *job, struct phi_err *err)
{
	static const char any[] = "q4_k_m"; /* a recipe of GGUF: which is found out later */
	const struct cli_choice *const asked = job->choice;
	struct cli_choice open = *asked;
	open.recipe = any;
	job->choice = &open;
	struct phi_model *lowered = job_lower(job, err);
	if (lowered) {
		job->aim = survey(job, lowered, err);
		if (!job->aim) {
			phi_model_free(lowered);
			lowered = NULL;
		}
	}
	job->choice = asked;
	return lowered ? job_plan_of(job, lowered, job->target, err) : NULL;
}

int
job_aim(struct job *job, struct phi_err *err)
{
	const struct cli *const cli = job->cli;
	if (job->choice->recipe || cli->pure)
		return phi_fail(err, PHI_ARGUMENT, "--target-size and --target-bpw choose the types: no -t with them");
	if (cli->target_size && cli->target_bpw > 0)
		return phi_fail(err, PHI_ARGUMENT, "one of --target-size and --target-bpw is enough");
	if (!strcmp(job->target->name, "stream"))
		job->target = phi_format_named("gguf");
	if (strcmp(job->target->name, "gguf"))
		return phi_fail(err, PHI_UNSUPPORTED, "--target-size and --target-bpw are for GGUF, not %s",
			job->target->name);
	if (job->source->sequential && phi_source_settle(job->source, &job->spool, err))
		return -1;
	uint64_t left = 0;
	struct phi_plan *const smallest = plan_smallest(job, err);
	int result = smallest ? bytes_left(job, smallest, &left, err) : -1;
	if (!result)
		result = phi_target_choose(job->aim, left, err) || adopt(job, err) ? -1 : 0;
	if (!result && !cli->quiet) {
		const struct phi_aim_print_options options = {.size = sizeof options,
			.color = cli_colored(cli, stderr),
			.overhead = phi_plan_size(smallest) - phi_target_smallest(job->aim)};
		phi_aim_print(job->aim, &options, stderr);
	}
	phi_plan_free(smallest);
	return result;
}

void
job_aim_free(struct job *job)
{
	phi_target_free(job->aim);
	phi_free(job->aimed_rules);
}
