/* SPDX-License-Identifier: MIT
 *
 * The toy's steps that leave processes behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/toy.h"

/* Gives up every descriptor, and stdio too unless it is to be held. */
static void settle(bool hold) {
	int null = open("/dev/null", O_RDWR);

	for (int fd = 0; !hold && null >= 0 && fd < 3; fd++)
		dup2(null, fd);
	close_range(3, ~0U, 0);
	toy_hang();
}

static int tell(struct wf_call *call, const char *name, pid_t pid) {
	if (pid <= 0)
		return wf_fail(call, errno, "cannot leave a %s", name);
	toy_report(call, "%s %d\n", name, (int)pid);
	return toy_answer(call, "%d", (int)pid);
}

static int background(struct wf_call *call, const char *argument) {
	pid_t pid = fork();

	(void)argument;
	if (pid == 0)
		settle(false);
	return tell(call, "background", pid);
}

/* In the child: leaves a grandchild, tells its pid through the pipe, and exits. */
static void leave_grandchild(int pipe_end, bool daemon, bool hold) {
	pid_t pid;

	if (daemon)
		setsid();
	pid = fork();
	if (pid == 0)
		settle(hold);
	_exit(write(pipe_end, &pid, sizeof pid) == sizeof pid ? 0 : 1);
}

static pid_t grandchild(bool daemon, bool hold) {
	int ends[2];
	pid_t child, pid = -1;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	child = fork();
	if (child == 0)
		leave_grandchild(ends[1], daemon, hold);
	close(ends[1]);
	if (child > 0 && read(ends[0], &pid, sizeof pid) != sizeof pid)
		pid = -1;
	close(ends[0]);
	if (child > 0)
		waitpid(child, NULL, 0);
	return pid;
}

static int daemon_step(struct wf_call *call, const char *argument) {
	(void)argument;
	return tell(call, "daemon", grandchild(true, false));
}

/* The daemon goes to the zygote. */
static int stray(struct wf_call *call, const char *argument) {
	(void)argument;
	if (prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) < 0)
		return wf_fail(call, errno, "PR_SET_CHILD_SUBREAPER");
	return tell(call, "stray", grandchild(true, false));
}

static int hold_pipes(struct wf_call *call, const char *argument) {
	(void)argument;
	return tell(call, "hold_pipes", grandchild(false, true));
}

const struct toy_entry toy_trees[] = {
	{ "background", background },
	{ "daemon", daemon_step },
	{ "stray", stray },
	{ "hold_pipes", hold_pipes },
	{ NULL, NULL },
};
