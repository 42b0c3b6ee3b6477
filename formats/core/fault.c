/* Faults on demand: counters read once from the environment. */
#include "formats/core/fault.h"

#ifdef PHI_FAULTS

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

/* Fail the k-th call, or with "k+" every call from the k-th on. 0: never. */
struct trigger {
	uint64_t at;
	bool onward;
	atomic_uint_fast64_t calls;
};

static struct trigger alloc_trigger, io_trigger;
static bool short_io;
static atomic_uint_fast64_t short_calls;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
parse(struct trigger *t, const char *variable)
{
	const char *const text = getenv(variable);
	if (!text)
		return;
	char *end;
	t->at = strtoull(text, &end, 10);
	t->onward = *end == '+';
}

static void
read_environment(void)
{
	parse(&alloc_trigger, "PHI_FAIL_ALLOC");
	parse(&io_trigger, "PHI_FAIL_IO");
	short_io = getenv("PHI_SHORT_IO") != NULL;
}

static bool
fires(struct trigger *t)
{
	if (!t->at)
		return false;
	const uint64_t call = atomic_fetch_add(&t->calls, 1) + 1;
	return call == t->at || (t->onward && call > t->at);
}

bool
phi_fault_alloc(void)
{
	pthread_once(&once, read_environment);
	return fires(&alloc_trigger);
}

bool
phi_fault_io(size_t *n)
{
	pthread_once(&once, read_environment);
	if (fires(&io_trigger)) {
		errno = EIO;
		return true;
	}
	if (!short_io)
		return false;
	if (atomic_fetch_add(&short_calls, 1) % 2) {
		errno = EINTR;
		return true;
	}
	if (n && *n > 1)
		*n = 1;
	return false;
}

#endif
