/* System calls that move bytes, each with its loop: EINTR, short transfers, a pipe that is not ready,
 * and the fault hooks. For the store, the spool and outputs only. They return what read(2) and write(2)
 * would, errno set; words are the caller's. */
#ifndef PHI_CORE_IO_H
#define PHI_CORE_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One transfer of at most n bytes; 0 at the end; -1. */
ssize_t phi_io_read(int fd, void *dst, size_t n);
/* n bytes, or fewer at the end of the file; -1. */
ssize_t phi_io_pread(int fd, void *dst, size_t n, uint64_t offset);
/* All n bytes or -1. */
int phi_io_write(int fd, const void *src, size_t n);
int phi_io_pwrite(int fd, const void *src, size_t n, uint64_t offset);
int phi_io_sync(int fd);
/* Asks for a pipe of 1 MiB (64 KiB halve the speed); no harm if the kernel declines. */
void phi_io_widen(int fd);

#endif
