/* SPDX-License-Identifier: MIT
 *
 * What dies with the keeper, and how:
 *
 *     zygote, until it serves   the kernel kills its process group: a preload may hang, block every
 *                               signal, and fork
 *     zygote, serving           it polls the pipe, sweeps everything below it, and exits: that
 *                               reaches what has left every group and session
 *     worker                    the kernel kills its process group: the zygote may be dead too
 *
 * PR_SET_PDEATHSIG is no substitute: it fires when the creating thread exits, it would kill running
 * tasks with their zygote, and it does not reach what a worker forked.
 */
#include "zygote/lifeline.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"

int lifeline_new(int *ret_read, int *ret_write) {
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_origin(-errno);
	*ret_read = ends[0];
	*ret_write = ends[1];
	return 0;
}

static bool is_cut(int fd) {
	struct pollfd poll_fd = { .fd = fd, .events = 0 };

	return poll(&poll_fd, 1, 0) > 0 && poll_fd.revents != 0;
}

static int set_async(int fd, bool async) {
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return error_origin(-errno);
	flags = async ? flags | O_ASYNC : flags & ~O_ASYNC;
	if (fcntl(fd, F_SETFL, flags) < 0)
		return error_origin(-errno);
	return 0;
}

int lifeline_arm(int fd, pid_t owner) {
	int r;

	if (fcntl(fd, F_SETOWN, owner) < 0 || fcntl(fd, F_SETSIG, SIGKILL) < 0)
		return error_origin(-errno);
	r = set_async(fd, true);
	if (r < 0)
		return error_trace(r);
	/* If the pipe ended before it was armed, no signal was raised. */
	return is_cut(fd) ? -EPIPE : 0;
}

int lifeline_disarm(int fd) {
	int r = set_async(fd, false);

	if (r < 0)
		return error_trace(r);
	if (fcntl(fd, F_SETOWN, 0) < 0)
		return error_origin(-errno);
	return 0;
}

int lifeline_reopen(int fd) {
	char path[32];
	int fresh;

	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	fresh = open(path, O_RDONLY | O_CLOEXEC);
	if (fresh < 0)
		return error_origin(-errno);
	return fresh;
}
