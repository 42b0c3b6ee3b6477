/* The table of temporaries. A slot is taken by exchanging its state, filled, then made live with
 * release order, so that a signal handler on any thread sees either nothing or a whole name. */
#include "formats/core/temporary.h"

#include "formats/core/fault.h"
#include "formats/core/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FREE, TAKEN, LIVE_FILE, LIVE_FOLDER };

struct temporary {
	atomic_int state;
	int folder;
	char name[NAME_MAX + 1];
};

/* One megabyte of zeros: no page of it is touched before it is used. */
static struct temporary table[PHI_TEMPORARIES_MAX];
static atomic_int high_water;

static int
take_slot(struct phi_err *err)
{
	for (int i = 0; i < PHI_TEMPORARIES_MAX; i++) {
		int expected = FREE;
		if (!atomic_compare_exchange_strong(&table[i].state, &expected, TAKEN))
			continue;
		int high = atomic_load(&high_water);
		while (high <= i && !atomic_compare_exchange_weak(&high_water, &high, i + 1))
			;
		return i;
	}
	return phi_fail(err, PHI_LIMIT, "more than %d output files, the limit", PHI_TEMPORARIES_MAX);
}

/* ".NAME.phi-XXXXXX"; a long NAME loses its end. */
static int
invent_name(char out[NAME_MAX + 1], const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz012345";
	uint8_t random[6];
	if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
		return -1;
	enum { AROUND = 12 }; /* ".", ".phi-", six letters */
	int n = snprintf(out, NAME_MAX + 1, ".%.*s.phi-", NAME_MAX - AROUND, name);
	for (unsigned i = 0; i < sizeof random; i++)
		out[n++] = letters[random[i] % 32];
	out[n] = '\0';
	return 0;
}

static int
make_file(int folder, const char *name)
{
	return phi_fault_io(NULL) ? -1 :
		openat(folder, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
}

static int
make_folder(int folder, const char *name)
{
	if (phi_fault_io(NULL) || mkdirat(folder, name, 0777))
		return -1;
	const int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		unlinkat(folder, name, AT_REMOVEDIR);
	return fd;
}

/* Tries new names until one is free. The slot is live from before the file exists: a signal in between
 * removes nothing. */
static int
make(int folder, const char *name, int kind, int *fd, struct phi_err *err)
{
	const int slot = take_slot(err);
	if (slot < 0)
		return -1;
	struct temporary *const t = &table[slot];
	t->folder = folder;
	for (int tries = 0; tries < 100; tries++) {
		if (invent_name(t->name, name))
			break;
		atomic_store(&t->state, kind);
		*fd = kind == LIVE_FILE ? make_file(folder, t->name) : make_folder(folder, t->name);
		if (*fd >= 0)
			return slot;
		atomic_store(&t->state, TAKEN);
		if (errno != EEXIST && errno != EINTR)
			break;
	}
	atomic_store(&t->state, FREE);
	return phi_fail_errno(err, "cannot make a temporary beside it");
}

int
phi_temporary_file(int folder, const char *name, int *fd, struct phi_err *err)
{
	return make(folder, name, LIVE_FILE, fd, err);
}

int
phi_temporary_folder(int folder, const char *name, int *fd, struct phi_err *err)
{
	return make(folder, name, LIVE_FOLDER, fd, err);
}

int
phi_temporary_inside(int folder, const char *name, int *fd, struct phi_err *err)
{
	if (strlen(name) > NAME_MAX)
		return phi_fail(err, PHI_ARGUMENT, "a file name of more than %d bytes", NAME_MAX);
	const int slot = take_slot(err);
	if (slot < 0)
		return -1;
	struct temporary *const t = &table[slot];
	t->folder = folder;
	strcpy(t->name, name);
	atomic_store(&t->state, LIVE_FILE);
	do
		*fd = make_file(folder, name);
	while (*fd < 0 && errno == EINTR);
	if (*fd >= 0)
		return slot;
	atomic_store(&t->state, FREE);
	return phi_fail_errno(err, "cannot be made");
}

const char *
phi_temporary_name(int number)
{
	return table[number].name;
}

void
phi_temporary_remove(int number)
{
	struct temporary *const t = &table[number];
	const int error = errno;
	unlinkat(t->folder, t->name, t->state == LIVE_FOLDER ? AT_REMOVEDIR : 0);
	atomic_store(&t->state, FREE);
	errno = error;
}

void
phi_temporary_release(int number)
{
	atomic_store(&table[number].state, FREE);
}

void
phi_output_abandon_all(void)
{
	const int error = errno;
	const int high = atomic_load(&high_water);
	/* Files first, then the folders they lie in. */
	for (int i = 0; i < high; i++)
		if (atomic_load(&table[i].state) == LIVE_FILE)
			unlinkat(table[i].folder, table[i].name, 0);
	for (int i = 0; i < high; i++)
		if (atomic_load(&table[i].state) == LIVE_FOLDER)
			unlinkat(table[i].folder, table[i].name, AT_REMOVEDIR);
	errno = error;
}
