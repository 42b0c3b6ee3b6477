/* Where output goes: a file, a set of files, a folder, or stdout. It appears whole or not at all.
 *
 *   file     a temporary name beside it (.NAME.phi-XXXXXX), fsync, rename, fsync of the folder
 *   set      files beside each other: payloads renamed first, the one that refers to them last
 *   folder   built beside its target, renamed; an existing one is exchanged only with force and only
 *            if it holds nothing but planned names
 *   stdout   written in order; refused if it is a terminal; closed and checked at commit
 *
 * Without force an existing target is refused before anything is written. On failure or signal the
 * temporaries are removed (phi_output_abandon_all is safe in a signal handler); SIGKILL leaves one,
 * recognisable by name. The inputs are never clobbered: output and input may not be the same file.
 */
#ifndef PHI_CORE_OUTPUT_H
#define PHI_CORE_OUTPUT_H

#include "formats/core/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct phi_output;

enum phi_output_kind { PHI_OUTPUT_FILES, PHI_OUTPUT_FOLDER, PHI_OUTPUT_STDOUT };

struct phi_output_options {
	bool force;   /* --force */
	bool no_sync; /* --no-sync */
};

/* path NULL or "-" with kind STDOUT. FILES: path is the file the user named; further files of the
 * set lie beside it. FOLDER: path is the folder to be. */
struct phi_output *phi_output_open(enum phi_output_kind kind, const char *path,
	const struct phi_output_options *options, struct phi_err *err);

struct phi_store;
/* Names the input: from here on it is an error if a file, or the folder, of the output is the input or
 * one of its members, with or without force. The store is lent for the output's life. */
int phi_output_protect(struct phi_output *output, struct phi_store *input, struct phi_err *err);

/* Adds the next file; the first is number 0. name: NULL for the path itself (FILES), else a
 * plain name beside it or within the folder; the file that refers to the others is added last. */
int phi_output_add(struct phi_output *output, const char *name, struct phi_err *err);

/* At any place, from any thread; FILES and FOLDER. What is not written reads as zeros once
 * phi_output_size set the size. */
int phi_output_write_at(struct phi_output *output, unsigned file, uint64_t offset, const void *src,
	size_t n, struct phi_err *err);
/* In order, one thread; any kind. */
int phi_output_append(struct phi_output *output, unsigned file, const void *src, size_t n,
	struct phi_err *err);
int phi_output_size(struct phi_output *output, unsigned file, uint64_t size, struct phi_err *err);
/* Must it be written in order (stdout)? */
bool phi_output_sequential(const struct phi_output *output);

/* Makes it appear. After a failure nothing has appeared that was not there before. */
int phi_output_commit(struct phi_output *output, struct phi_err *err);
/* Removes what was not committed; always the last call; NULL allowed. */
void phi_output_close(struct phi_output *output);
/* For signal handlers: unlinks all temporaries. Async-signal-safe. */
void phi_output_abandon_all(void);

#endif
