/* SPDX-License-Identifier: MIT
 *
 * File descriptors that no exec inherits by accident: every function here sets close-on-exec in the
 * call that creates the descriptor, because another thread of the host may fork and exec in
 * between.
 */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/error.h"
#include "base/feature.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 */
#endif

#define FD_FIRST 3 /* the numbers below are the standard streams, whoever owns them */
#define FD_KEEP  ((size_t)256)

int fd_close(int fd) {
	int saved = errno;

	/* Not retried after EINTR: Linux has closed it, and a second close could hit another
	 * thread's. */
	if (fd >= 0)
		(void)close(fd);
	errno = saved;
	return -1;
}

void fd_close_all(const int *fds, size_t n) {
	for (size_t i = 0; i < n; i++)
		fd_close(fds[i]);
}

void fd_closep(int *fd) {
	*fd = fd_close(*fd);
}

int fd_duplicate(int fd) {
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, FD_FIRST);

	return copy < 0 ? error_origin(-errno) : copy;
}

int fd_set_nonblocking(int fd, bool nonblocking) {
	int flags = fcntl(fd, F_GETFL), wanted;

	if (flags < 0)
		return error_origin(-errno);
	wanted = nonblocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	if (wanted != flags && fcntl(fd, F_SETFL, wanted))
		return error_origin(-errno);
	return 0;
}

int fd_seqpacket_pair(int ret_fds[2]) {
	int fds[2];

	ret_fds[0] = ret_fds[1] = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		return error_origin(-errno);
	ret_fds[0] = fds[0];
	ret_fds[1] = fds[1];
	return 0;
}

/* MFD_NOEXEC_SEAL implies that sealing is allowed, and adds F_SEAL_EXEC. Kernels before 6.3 reject
 * the unknown flag with EINVAL; drop the fallback when we require 6.3. */
static int memfd_open(const char *name) {
	const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;

	if (!feature_hidden(FEATURE_MEMFD_NOEXEC)) {
		int fd = memfd_create(name, flags | MFD_NOEXEC_SEAL);

		if (fd >= 0 || errno != EINVAL)
			return fd;
	}
	return memfd_create(name, flags);
}

/* Above RLIMIT_FSIZE, which applies to memory files too, ftruncate(2) would raise SIGXFSZ, which
 * kills by default. We only read the limit, because it belongs to the process, which may be a host
 * with threads. */
int fd_resize(int fd, size_t size) {
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit) < 0)
		return error_origin(-errno);
	if (size > (size_t)INT64_MAX || size > limit.rlim_cur)
		return error_origin(-EFBIG);
	return ftruncate(fd, (off_t)size) < 0 ? error_origin(-errno) : 0;
}

int fd_memfd(const char *name, size_t size) {
	cleanup_close int fd = memfd_open(name);
	int r;

	if (fd < 0)
		return error_origin(-errno);
	r = size > 0 ? fd_resize(fd, size) : 0;
	return r < 0 ? error_trace(r) : fd_steal(&fd);
}

int fd_seal(int fd, int seals) {
	return fcntl(fd, F_ADD_SEALS, seals) < 0 ? error_origin(-errno) : 0;
}

int fd_identify(int fd, struct fd_file *ret) {
	struct stat status;

	if (fstat(fd, &status) < 0)
		return error_origin(-errno);
	*ret = (struct fd_file){ .device = status.st_dev, .inode = status.st_ino };
	return 0;
}

bool fd_is_of(int fd, const struct fd_file *file) {
	struct fd_file now;

	return fd >= 0 && fd_identify(fd, &now) == 0 && now.device == file->device &&
	       now.inode == file->inode;
}

int fd_close_file(int fd, const struct fd_file *file) {
	if (fd_is_of(fd, file))
		(void)fd_close(fd);
	return -1;
}

/* Insertion sort: qsort(3) may call malloc, and this runs in children that must not. */
static size_t keep_sorted(int *sorted, const int *keep, size_t n) {
	size_t n_sorted = 0;

	for (size_t i = 0; i < n; i++) {
		size_t at = n_sorted;

		if (keep[i] < FD_FIRST)
			continue;
		for (; at > 0 && sorted[at - 1] > keep[i]; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = keep[i];
		n_sorted++;
	}
	return n_sorted;
}

static int close_gap(unsigned from, unsigned to) {
	if (from > to)
		return 0;
	return close_range(from, to, 0) ? error_origin(-errno) : 0;
}

int fd_close_others(const int *keep, size_t n) {
	unsigned next = FD_FIRST;
	int sorted[FD_KEEP], r;
	size_t n_sorted;

	must(n <= FD_KEEP);
	n_sorted = keep_sorted(sorted, keep, n);
	for (size_t i = 0; i < n_sorted; i++) {
		r = close_gap(next, (unsigned)sorted[i] - 1);
		if (r)
			return error_trace(r);
		next = (unsigned)sorted[i] + 1;
	}
	return error_trace(close_gap(next, UINT_MAX));
}
