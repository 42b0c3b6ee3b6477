#include "formats/core/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
phi_fail(struct phi_err *err, enum phi_kind kind, const char *fmt, ...)
{
	if (err) {
		va_list ap;
		va_start(ap, fmt);
		vsnprintf(err->text, sizeof err->text, fmt, ap);
		va_end(ap);
		err->kind = kind;
	}
	return -1;
}

int
phi_fail_errno(struct phi_err *err, const char *fmt, ...)
{
	const int saved = errno;
	if (err) {
		va_list ap;
		va_start(ap, fmt);
		vsnprintf(err->text, sizeof err->text, fmt, ap);
		va_end(ap);
		/* strerror_r of GNU: returns the text and never fails. */
		char text[128];
		const char *const why = strerror_r(saved, text, sizeof text);
		const size_t at = strlen(err->text);
		snprintf(err->text + at, sizeof err->text - at, ": %s", why);
		err->kind = saved == ENOMEM ? PHI_MEMORY : PHI_SYSTEM;
	}
	errno = saved;
	return -1;
}

int
phi_context(struct phi_err *err, const char *fmt, ...)
{
	if (err) {
		char old[sizeof err->text];
		memcpy(old, err->text, sizeof old);
		va_list ap;
		va_start(ap, fmt);
		vsnprintf(err->text, sizeof err->text, fmt, ap);
		va_end(ap);
		const size_t at = strlen(err->text);
		/* The spot's own words matter more than the context: keep room for them. */
		snprintf(err->text + at, sizeof err->text - at, ": %s", old);
	}
	return -1;
}
