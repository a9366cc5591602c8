/* SPDX-License-Identifier: MIT
 *
 * The child of the keeper on its way to becoming a zygote. It runs with all signals blocked until
 * just before exec, and under the armed lifeline, so that neither a signal nor the keeper's death
 * finds it half made. A close-on-exec pipe tells how exec went: data is a failure, and its end is
 * success (or a death, which SIGCHLD reports).
 *
 * For an image of kind command nothing has to be loaded. The keeper's own few pages serve as well
 * as those of a newly executed program, and exec would take a millisecond.
 */
#include "zygote/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/leave.h"
#include "zygote/birth.h"
#include "zygote/lifeline.h"
#include "zygote/zygote.h"

/* Above every number that dup2() below writes to. */
#define ASIDE 16

struct ends {
	int lifeline, report_read, report_write;
};

static void ends_close(struct ends *ends) {
	fd_close(ends->lifeline);
	fd_close(ends->report_read);
	fd_close(ends->report_write);
}

static int ends_open(int lifeline, struct ends *ret) {
	int report[2], r;

	ret->lifeline = lifeline_reopen(lifeline);
	if (ret->lifeline < 0)
		return error_trace(ret->lifeline);
	if (pipe2(report, O_CLOEXEC) < 0) {
		r = error_origin(-errno);
		fd_close(ret->lifeline);
		return r;
	}
	ret->report_read = report[0];
	ret->report_write = report[1];
	return 0;
}

static void failure_set(struct launch_failure *failure, int error, const char *step) {
	failure->error = error;
	(void)snprintf(failure->step, sizeof failure->step, "%s", step);
}

static _Noreturn void child_fail(int report, int error, const char *step) {
	struct launch_failure failure = { 0 };
	ssize_t written;

	failure_set(&failure, error, step);
	written = write(report, &failure, sizeof failure);
	leave(written == (ssize_t)sizeof failure ? 0 : 1);
}

static int child_aside(int fd) {
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, ASIDE);

	if (copy >= 0)
		return copy;
	/* EINVAL: RLIMIT_NOFILE does not allow the number at all (fcntl(2)) */
	return error_origin(errno == EINVAL ? -EMFILE : -errno);
}

/* The keeper itself uses 3, 4 and 5, so everything is moved aside before anything is put
 * in place. */
static int child_descriptors(const struct launch *launch, int lifeline, int *ret_program,
			     int *report) {
	const int from[] = { launch->control, lifeline, launch->output };
	int aside[3], keep[5] = { ZYGOTE_CONTROL, ZYGOTE_LIFELINE, ZYGOTE_OUTPUT, -1, -1 };

	for (size_t i = 0; i < 3; i++)
		if ((aside[i] = child_aside(from[i])) < 0)
			return error_trace(aside[i]);
	if ((keep[3] = child_aside(*report)) < 0)
		return error_trace(keep[3]);
	*report = keep[3];
	if (launch->program >= 0 && (keep[4] = child_aside(launch->program)) < 0)
		return error_trace(keep[4]);
	*ret_program = keep[4];
	for (int i = 0; i < 3; i++)
		if (dup2(aside[i], ZYGOTE_CONTROL + i) < 0)
			return error_origin(-errno);
	return error_trace(fd_close_others(keep, 5));
}

static int child_environment(const char *nonce) {
	char value[64];

	(void)snprintf(value, sizeof value, "%d:%s", ZYGOTE_CONTROL, nonce);
	return setenv(ZYGOTE_VARIABLE, value, 1) < 0 ? error_origin(-errno) : 0;
}

static void child_unmask(void) {
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static int child_exec(const struct launch *launch, int program) {
	static char helper[] = "warmfork-zygote", role[] = "zygote", padding[] = TITLE_PADDING;
	char *module_arguments[] = { helper, role, padding, NULL };
	char *self_arguments[] = { NULL, padding, NULL };

	child_unmask();
	if (launch->request->kind != IMAGE_SELF) {
		(void)execve("/proc/self/exe", module_arguments, environ);
		return error_origin(-errno);
	}
	self_arguments[0] = strdup(launch->request->program);
	if (!self_arguments[0])
		return error_origin(-ENOMEM);
	(void)execveat(program, "", self_arguments, environ, AT_EMPTY_PATH);
	return error_origin(-errno);
}

static _Noreturn void child_run(const struct launch *launch, const struct ends *ends) {
	int program = -1, report = ends->report_write, r;

	if (setpgid(0, 0) < 0)
		child_fail(report, errno, "setpgid");
	r = child_descriptors(launch, ends->lifeline, &program, &report);
	if (r < 0)
		child_fail(report, -r, "descriptors");
	/* Not earlier: while this process held the write end, the pipe could not end. */
	r = lifeline_arm(ZYGOTE_LIFELINE, -getpgrp());
	if (r < 0)
		child_fail(report, -r, "lifeline");
	if (launch->request->kind == IMAGE_COMMAND) {
		fd_close(report);
		child_unmask();
		zygote_run_here(launch->request->nonce);
	}
	r = child_environment(launch->request->nonce);
	if (r < 0)
		child_fail(report, -r, "environment");
	r = child_exec(launch, program);
	child_fail(report, -r, "exec");
}

int launch_start(const struct launch *launch, struct launched *ret,
		 struct launch_failure *ret_failure) {
	struct ends ends = { -1, -1, -1 };
	pid_t pid;
	int r;

	r = ends_open(launch->lifeline, &ends);
	if (r < 0) {
		failure_set(ret_failure, -r, "pipe");
		return error_trace(r);
	}
	pid = fork();
	if (pid == 0)
		child_run(launch, &ends);
	if (pid < 0) {
		r = error_origin(-errno);
		failure_set(ret_failure, -r, "fork");
		ends_close(&ends);
		return r;
	}
	ends.report_write = fd_close(ends.report_write);
	ends.lifeline = fd_close(ends.lifeline);
	ret->pidfd = process_open(pid);
	if (ret->pidfd < 0) {
		/* The sweep ends it as an unknown child. */
		r = ret->pidfd;
		failure_set(ret_failure, -r, "pidfd");
		ends_close(&ends);
		return error_trace(r);
	}
	ret->pid = pid;
	ret->report = ends.report_read;
	return 0;
}
