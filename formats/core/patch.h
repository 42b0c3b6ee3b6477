/* Changing the first bytes of a file where it stands, so that it can be undone: by the user, and after
 * a crash.
 *
 *     FILE.undo    "PHIUNDO1"
 *                  u64 size of FILE
 *                  u64 n
 *                  n bytes that stood at FILE's start before
 *                  n bytes that stand there now
 *
 * FILE.undo is written, synced and renamed into place before the first byte of FILE changes. So at any
 * moment every byte of FILE's start is the old or the new one, FILE.undo says both, and undoing puts
 * the old ones back; being cut short, it can be done again. It stays until the next change. */
#ifndef PHI_CORE_PATCH_H
#define PHI_CORE_PATCH_H

#include "formats/core/buffer.h"
#include "formats/core/store.h"

struct phi_patch {
	struct phi_buffer before, after; /* of the same size */
};

struct phi_patch_options {
	bool no_sync; /* --no-sync: FILE and FILE.undo may reach the disk in any order */
};

void phi_patch_free(struct phi_patch *patch);

/* Can the file be changed, now? Asked before it is read: what a change cut short left may be no model.
 * Refuses what phi_patch_apply refuses, but for the last. */
int phi_patch_check(const char *path, struct phi_err *err);
/* Carries a patch out. Refuses where someone else is at the file, where FILE.undo is that of a change
 * that was cut short, or of another file, and where the file's start is not `before`. */
int phi_patch_apply(const char *path, const struct phi_patch *patch,
	const struct phi_patch_options *options, struct phi_err *err);
/* Puts back what FILE.undo says, and removes that. Refuses a file that was changed otherwise since. */
int phi_patch_undo(const char *path, const struct phi_patch_options *options, struct phi_err *err);

#endif
