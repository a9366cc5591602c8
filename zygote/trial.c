/* SPDX-License-Identifier: MIT
 *
 * Uses no malloc, because a frozen image is tried as well.
 */
#include "zygote/trial.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/leave.h"
#include "base/process.h"

static bool children_are_reaped(void) {
	struct sigaction action;

	return sigaction(SIGCHLD, NULL, &action) == 0 &&
	       (action.sa_handler == SIG_IGN || action.sa_flags & SA_NOCLDWAIT);
}

/* If a preload ignores SIGCHLD, the kernel reaps its children; the audit reports that. */
int trial_fork(uint64_t *ret_ns) {
	nsec_t before = clock_now();
	pid_t pid = fork();
	int r;

	if (pid == 0)
		leave(0);
	if (pid < 0)
		return error_origin(-errno);
	r = process_reap(pid, NULL);
	if (r < 0 && !(r == -ECHILD && children_are_reaped()))
		return error_trace(r);
	if (ret_ns)
		*ret_ns = clock_now() - before;
	return 0;
}

uint64_t trial_fastest(unsigned n) {
	uint64_t fastest = 0, took;

	for (unsigned i = 0; i < n; i++)
		if (trial_fork(&took) == 0 && (fastest == 0 || took < fastest))
			fastest = took;
	return fastest;
}
