/* SPDX-License-Identifier: MIT
 *
 * File descriptors: one owner each, -1 when there is none, close-on-exec from the start.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Closes `fd` unless it is negative; keeps errno. Returns -1, so that `fd = fd_close(fd)`. */
int fd_close(int fd);
void fd_close_all(const int *fds, size_t n);
void fd_closep(int *fd);
#define cleanup_close __attribute__((cleanup(fd_closep)))

/* Passes ownership: returns *fd and leaves -1. */
static inline int fd_steal(int *fd) {
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* Returns a duplicate with close-on-exec, numbered 3 or above, or -errno. */
int fd_duplicate(int fd);
int fd_set_nonblocking(int fd, bool nonblocking);

/* socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC); blocking. Returns 0; or -errno, with both
 * -1. */
int fd_seqpacket_pair(int ret_fds[2]);

/* memfd_create(2) with sealing allowed and execution not (MFD_NOEXEC_SEAL where the kernel has it:
 * 6.3). `size` 0 leaves it empty. Returns -EFBIG if `size` exceeds RLIMIT_FSIZE, or -errno. */
int fd_memfd(const char *name, size_t size);
/* ftruncate(2) without SIGXFSZ. Returns 0, -EFBIG or -errno. */
int fd_resize(int fd, size_t size);
/* Adds F_SEAL_... Returns 0 or -errno. */
int fd_seal(int fd, int seals);

/* Which file a descriptor is of: in a process with other owners of descriptors, its number may be
 * that of another file by now. */
struct fd_file {
	dev_t device;
	ino_t inode;
};

/* Returns 0 or -errno. */
int fd_identify(int fd, struct fd_file *ret);
bool fd_is_of(int fd, const struct fd_file *file);
/* Closes `fd` if it still is of that file. Returns -1. */
int fd_close_file(int fd, const struct fd_file *file);

/* Closes every descriptor from 3 on except the `n` in `keep` (in any order; duplicates and -1 are
 * fine; `n` is at most 256). Allocates nothing. Returns 0 or -errno. */
int fd_close_others(const int *keep, size_t n);
