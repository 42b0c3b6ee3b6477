/* A conversion under way: what phi-repack's and phi-quant's steps share. */
#ifndef PHI_CMD_JOB_H
#define PHI_CMD_JOB_H

#include "cmd/convert.h"
#include "formats/core/pump.h"
#include "quant/target.h"

struct job {
	const struct cli *cli;
	const struct cli_choice *choice; /* or NULL */
	const struct phi_format *format; /* of what is written */
	const struct phi_format *target; /* whose names and types: format, or what the stream carries */
	struct phi_graph_options graph; /* what was asked of a graph */
	struct phi_ranges *ranges; /* --ranges, or NULL */
	const char **keep; /* --keep: of `graph` */
	char beside[4096];
	struct phi_spool_options spool;
	struct phi_output *output;
	struct phi_source *source;
	struct phi_plan *plan;
	struct phi_sink *sink;
	/* --target-size: what was surveyed, and the choice made of it; then `choice` is `aimed`. */
	struct phi_target *aim;
	struct cli_choice aimed;
	struct phi_rule *aimed_rules;
	struct phi_loss *losses; /* --report: of each tensor of the plan */
};

bool job_to_stdout(const struct cli *cli);

/* plan.c: whose names and types are written; the model as the target sees it, types not chosen yet; then with its
 * types; the plan of that. */
int job_find_target(struct job *job, struct phi_err *err);
struct phi_model *job_lower(struct job *job, struct phi_err *err);
struct phi_plan *job_plan_of(const struct job *job, struct phi_model *lowered, const struct phi_format *format,
	struct phi_err *err);
int job_plan(struct job *job, struct phi_err *err);
struct phi_pump_options job_pump_options(const struct job *job);
/* What phi_choose is asked with: job->choice and the command line. Rules are lent. */
struct phi_recipe_options job_recipe(const struct job *job, const struct phi_rule *rules, size_t nrules);

/* aim.c: chooses types under the budget of --target-size or --target-bpw. */
int job_aim(struct job *job, struct phi_err *err);
void job_aim_free(struct job *job);

#endif
