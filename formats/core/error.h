/* Errors.
 *
 * Every function that can fail takes a `struct phi_err *` as its last argument and returns 0 / -1
 * or a pointer / NULL. The text is written at the spot that knows most (phi_fail) and gains its
 * context (file, tensor) on the way up (phi_context): one line, outermost context first, no
 * newline, no jargon:
 *
 *     model.gguf: tensor blk.0.attn_q.weight: offset 9123 beyond end of file (8192)
 *
 * The library never prints, exits or asserts on input. Text that came from a file is escaped by
 * whoever formats it (phi_escape, escape.h). `err` may be NULL when the caller wants no text.
 */
#ifndef PHI_CORE_ERROR_H
#define PHI_CORE_ERROR_H

enum phi_kind {
	PHI_OK,
	PHI_SYSTEM,	 /* a system call failed; the text ends with strerror */
	PHI_MEMORY,	 /* out of memory */
	PHI_ARGUMENT,	 /* the caller asked for something that makes no sense */
	PHI_LIMIT,	 /* the file may be right, but passes a named limit of ours */
	PHI_UNSUPPORTED, /* the file is right, we cannot do it (yet) */
	PHI_FORMAT,	 /* the file is wrong */
	PHI_TRUNCATED,	 /* the file or stream ends too early */
	PHI_CANCELLED,	 /* another worker failed first; never shown */
};

struct phi_err {
	enum phi_kind kind;
	char text[1024];
};

#define PHI_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* Records a failure and returns -1, so that `return phi_fail(...)` reads well. */
int phi_fail(struct phi_err *err, enum phi_kind kind, const char *fmt, ...) PHI_PRINTF(3, 4);

/* The same with ": " and strerror(errno) at the end; kind PHI_SYSTEM (PHI_MEMORY for ENOMEM). */
int phi_fail_errno(struct phi_err *err, const char *fmt, ...) PHI_PRINTF(2, 3);

/* Puts "<fmt>: " before the text of an error on its way up. Returns -1. */
int phi_context(struct phi_err *err, const char *fmt, ...) PHI_PRINTF(2, 3);

#endif
