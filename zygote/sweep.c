/* SPDX-License-Identifier: MIT
 *
 * Why this ends: a process to which SIGKILL has been sent cannot fork any more (the kernel looks
 * for pending signals under the same lock that publishes a child), and what a dying process leaves
 * is ours before its death is visible (it is re-parented and turned into a zombie under one lock).
 * So with each round a generation of the tree is gone.
 *
 * A child cannot be mistaken for another process: its number is free only when we have reaped it.
 */
#include "zygote/sweep.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"

#define SWEEP_ROUND_NS    (20 * (long)NSEC_PER_MSEC)
#define SWEEP_PATIENCE_MS 5000

static pid_t batch[SWEEP_BATCH];

static void status_fill(const siginfo_t *info, const struct rusage *usage,
			struct exit_status *ret) {
	memset(ret, 0, sizeof *ret);
	ret->exited = info->si_code == CLD_EXITED;
	if (ret->exited)
		ret->code = info->si_status;
	else
		ret->signal = info->si_status;
	ret->core = info->si_code == CLD_DUMPED;
	exit_status_from_rusage(ret, usage);
}

/* __WALL: a preload may have called clone(2) with another signal than SIGCHLD. The library's waitid
 * hides the fifth argument: the usage, which WNOWAIT gives too. */
static int wait_child(pid_t child, int options, struct exit_status *ret) {
	siginfo_t info = { 0 };
	struct rusage usage = { 0 };
	long r;

	do {
		r = syscall(SYS_waitid, P_PID, child, &info, WEXITED | __WALL | options, &usage);
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	if (info.si_pid == 0)
		return 0;
	if (ret)
		status_fill(&info, &usage, ret);
	return 1;
}

int sweep_peek(pid_t child, struct exit_status *ret) {
	return wait_child(child, WNOHANG | WNOWAIT, ret);
}

int sweep_reap(pid_t child, struct exit_status *ret) {
	int r = wait_child(child, 0, ret);

	return r < 0 ? error_trace(r) : 0;
}

int sweep_peek_stop(pid_t child) {
	siginfo_t info = { 0 };

	if (waitid(P_PID, (id_t)child, &info, WSTOPPED | WCONTINUED | WNOHANG | __WALL) < 0 ||
	    info.si_pid == 0)
		return 0;
	return info.si_code == CLD_CONTINUED ? 2 : 1;
}

int sweep_kill(pid_t child) {
	cleanup_close int pidfd = process_open(child);

	return pidfd < 0 ? pidfd : process_signal(pidfd, SIGKILL);
}

size_t sweep_children(const pid_t **ret) {
	int n = process_children(batch, SWEEP_BATCH);

	*ret = batch;
	if (n < 0)
		return 0;
	return (size_t)n < SWEEP_BATCH ? (size_t)n : SWEEP_BATCH;
}

size_t sweep_children_of(int file, const pid_t **ret) {
	int n = process_children_from(file, batch, SWEEP_BATCH);

	*ret = batch;
	if (n < 0)
		return 0;
	return (size_t)n < SWEEP_BATCH ? (size_t)n : SWEEP_BATCH;
}

/* Returns how many of the children have ended and are gone now. *ret_killed: there was one, at
 * least, that may be killed. */
static size_t sweep_round(const pid_t *children, size_t n, bool *ret_killed) {
	size_t n_reaped = 0;

	*ret_killed = false;
	for (size_t i = 0; i < n; i++)
		*ret_killed |= sweep_kill(children[i]) != -EPERM;
	for (size_t i = 0; i < n; i++)
		if (sweep_peek(children[i], NULL) == 1 && sweep_reap(children[i], NULL) == 0)
			n_reaped++;
	return n_reaped;
}

size_t sweep_everything(void) {
	const struct timespec round = { .tv_nsec = SWEEP_ROUND_NS };
	nsec_t give_up = clock_after_ms(clock_now(), SWEEP_PATIENCE_MS);
	const pid_t *children;
	sigset_t child_signal;
	size_t n;

	(void)sigemptyset(&child_signal);
	(void)sigaddset(&child_signal, SIGCHLD);
	while ((n = sweep_children(&children)) > 0) {
		bool killed;
		size_t n_reaped = sweep_round(children, n, &killed);

		if (n_reaped > 0 || killed)
			give_up = clock_after_ms(clock_now(), SWEEP_PATIENCE_MS);
		else if (clock_now() >= give_up)
			return n;
		if (n_reaped == 0)
			(void)sigtimedwait(&child_signal, NULL, &round);
	}
	return 0;
}
