/* SPDX-License-Identifier: MIT
 *
 * File descriptors: one owner each, -1 when there is none, close-on-exec from birth.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Closes `fd` unless it is negative; keeps errno. Returns -1, so that `fd = fd_close(fd)`. */
int fd_close(int fd);
void fd_close_all(const int *fds, size_t n);
void fd_closep(int *fd);
#define cleanup_close __attribute__((cleanup(fd_closep)))

/* Hands over: returns *fd and leaves -1. */
static inline int fd_steal(int *fd) {
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* A duplicate with close-on-exec, number 3 or above. -errno. */
int fd_duplicate(int fd);
int fd_set_nonblocking(int fd, bool nonblocking);

/* socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC); blocking. -errno, both -1. */
int fd_seqpacket_pair(int ret_fds[2]);

/* memfd_create with sealing allowed and no execution (MFD_NOEXEC_SEAL where the kernel has
 * it: 6.3). `size` 0 leaves it empty. -EFBIG: it is more than RLIMIT_FSIZE allows; -errno. */
int fd_memfd(const char *name, size_t size);
/* ftruncate(2), but without a SIGXFSZ. 0, -EFBIG, -errno. */
int fd_resize(int fd, size_t size);
/* Adds F_SEAL_... 0, -errno. */
int fd_seal(int fd, int seals);

/* Closes every descriptor >= 3 but the `n` in `keep` (any order, duplicates and -1 fine). Allocates
 * nothing; n at most 256. -errno. */
int fd_close_others(const int *keep, size_t n);
