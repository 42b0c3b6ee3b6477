/* Loops around the system calls that move bytes. */
#include "formats/core/io.h"

#include "formats/core/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <unistd.h>

enum {
	TRANSFER_MAX = 1 << 30, /* bytes of one call; Linux moves at most 2 GiB - 4 KiB */
	PIPE_BYTES = 512 << 10,
};

/* After a failed call: is it worth another try? Waits if the descriptor is non-blocking and not ready. */
static bool
again(int fd, short events)
{
	if (errno == EINTR)
		return true;
	if (errno != EAGAIN)
		return false;
	struct pollfd p = { .fd = fd, .events = events };
	return poll(&p, 1, -1) >= 0 || errno == EINTR;
}

ssize_t
phi_io_read(int fd, void *dst, size_t n)
{
	for (;;) {
		size_t part = n < TRANSFER_MAX ? n : TRANSFER_MAX;
		const ssize_t got = phi_fault_io(&part) ? -1 : read(fd, dst, part);
		if (got >= 0 || !again(fd, POLLIN))
			return got;
	}
}

ssize_t
phi_io_pread(int fd, void *dst, size_t n, uint64_t offset)
{
	size_t done = 0;
	while (done < n) {
		size_t part = n - done < TRANSFER_MAX ? n - done : TRANSFER_MAX;
		const ssize_t got = phi_fault_io(&part) ? -1 :
			pread(fd, (char *)dst + done, part, (off_t)(offset + done));
		if (got == 0)
			break;
		if (got > 0)
			done += (size_t)got;
		else if (!again(fd, POLLIN))
			return -1;
	}
	return (ssize_t)done;
}

int
phi_io_write(int fd, const void *src, size_t n)
{
	size_t done = 0;
	while (done < n) {
		size_t part = n - done < TRANSFER_MAX ? n - done : TRANSFER_MAX;
		const ssize_t put = phi_fault_io(&part) ? -1 : write(fd, (const char *)src + done, part);
		if (put > 0)
			done += (size_t)put;
		else if (put < 0 && !again(fd, POLLOUT))
			return -1;
	}
	return 0;
}

int
phi_io_pwrite(int fd, const void *src, size_t n, uint64_t offset)
{
	size_t done = 0;
	while (done < n) {
		size_t part = n - done < TRANSFER_MAX ? n - done : TRANSFER_MAX;
		const ssize_t put = phi_fault_io(&part) ? -1 :
			pwrite(fd, (const char *)src + done, part, (off_t)(offset + done));
		if (put > 0)
			done += (size_t)put;
		else if (put < 0 && !again(fd, POLLOUT))
			return -1;
	}
	return 0;
}

int
phi_io_sync(int fd)
{
	for (;;) {
		const int status = phi_fault_io(NULL) ? -1 : fsync(fd);
		if (!status)
			return 0;
		/* A descriptor that cannot be synced (some folders of network file systems) has nothing to
		 * lose by it. */
		if (errno == EINVAL || errno == EROFS)
			return 0;
		if (errno != EINTR)
			return -1;
	}
}

void
phi_io_widen(int fd)
{
	const int error = errno;
	(void)fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES);
	errno = error;
}
