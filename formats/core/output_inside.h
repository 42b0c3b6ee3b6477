/* What output.c and output_commit.c share. Nobody else includes it. */
#ifndef PHI_CORE_OUTPUT_INSIDE_H
#define PHI_CORE_OUTPUT_INSIDE_H

#include "formats/core/output.h"

struct phi_output_file {
	char *name;	 /* final name, in the folder (FOLDER) or beside the path (FILES) */
	int fd;		 /* -1 once closed */
	int temporary;	 /* number in the table of temporaries; -1: none any more */
	uint64_t at;	 /* where phi_output_append goes on */
	bool exchanged;	 /* while committing: the temporary name holds what was replaced */
};

struct phi_output {
	enum phi_output_kind kind;
	struct phi_output_options options;
	char *path; /* as given, without a slash at the end; NULL for stdout */
	char *name; /* its last component */
	int parent; /* the folder it lies in */
	int folder; /* FOLDER: the temporary folder; else -1 */
	int folder_temporary; /* its number, or -1 */
	struct phi_store *input; /* not to be touched; or NULL */
	struct phi_output_file *files;
	size_t nfiles, capacity;
};

/* The commit of what was written to temporaries. */
int phi_output_commit_files(struct phi_output *output, struct phi_err *err);
int phi_output_commit_folder(struct phi_output *output, struct phi_err *err);

/* May something that exists under a final name be replaced by a file? Looks again at what is there. */
int phi_output_check_target(const struct phi_output *output, const char *name, bool *exists,
	struct phi_err *err);

#endif
