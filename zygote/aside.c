/* SPDX-License-Identifier: MIT
 *
 * The numbers are no higher than necessary: the kernel's table grows with the highest one, and
 * every fork of a task copies it.
 */
#include "zygote/aside.h"

#include <errno.h>
#include <fcntl.h>

#include "base/error.h"
#include "base/fd.h"

#define ASIDE_FROM 200

void aside_fill_standard(void) {
	int fd;

	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		/* Zygotes, workers and the programs that they run must inherit it. */
		if (fd >= 0 && fd <= 2)
			(void)fcntl(fd, F_SETFD, 0);
	} while (fd >= 0 && fd <= 2);
	fd_close(fd);
}

int aside_duplicate(int fd) {
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, ASIDE_FROM);

	/* EINVAL: RLIMIT_NOFILE is below that number. */
	if (copy < 0 && errno == EINVAL)
		return fd_duplicate(fd);
	return copy < 0 ? error_origin(-errno) : copy;
}

int aside_consume(int fd) {
	int copy;

	if (fd < 0)
		return error_trace(fd);
	copy = aside_duplicate(fd);
	fd_close(fd);
	return error_trace(copy);
}
