/* A tar read from its start to its end, from a file or a pipe, through zstd if need be: members one
 * after the other, each in blocks, without a copy. Regular files only. */
#ifndef PHI_STREAM_TAPE_H
#define PHI_STREAM_TAPE_H

#include "formats/core/store.h"

struct phi_tape;

/* Lends the member. */
struct phi_tape *phi_tape_open(struct phi_member *member, struct phi_err *err);
void phi_tape_close(struct phi_tape *tape);

/* Goes on to the next member, whose name is lent until the next call. Returns 1, at the end 0, or -1.
 * What was not read of the member before is skipped. */
int phi_tape_next(struct phi_tape *tape, const char **name, uint64_t *size, struct phi_err *err);
/* The same where all that matters is that nothing follows: a tar cut off here is as good as its end. */
int phi_tape_expect_end(struct phi_tape *tape, struct phi_err *err);

/* Where in the input the header of the present member begins; the bytes of the one before, rounded up to
 * 512, end there. UINT64_MAX: unknown, the input is compressed or a pipe. */
uint64_t phi_tape_position(const struct phi_tape *tape);

/* The next bytes of the member; *n is 0 at its end. Lent until the next call. Where `into` has room for
 * many of the bytes that are wanted next, they may be read right there: *block is `into` then, and
 * nothing need be copied. into may be NULL. */
int phi_tape_block(struct phi_tape *tape, void *into, uint64_t wanted, const uint8_t **block,
	size_t *n, struct phi_err *err);

#endif
