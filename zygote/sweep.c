/* SPDX-License-Identifier: MIT
 *
 * A sweep terminates. A process to which SIGKILL has been sent cannot fork any more, because the
 * kernel looks for pending signals under the lock under which it publishes a child. And the
 * children of a dying process are ours before its death is visible, because it re-parents them and
 * becomes a zombie under one lock. So each round removes one generation of the tree.
 *
 * A child cannot be mistaken for another process: its number becomes free only when we reap it. So
 * it is killed by number, which takes no descriptor and cannot fail for lack of one.
 */
#include "zygote/sweep.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

#include "base/clock.h"
#include "base/process.h"
#include "zygote/child.h"

#define SWEEP_ROUND_NS    (20 * (long)NSEC_PER_MSEC)
#define SWEEP_PATIENCE_MS 5000

int sweep_kill(pid_t child) {
	return kill(child, SIGKILL) < 0 ? -errno : 0;
}

/* `n` is the number of children, or -errno. Returns how many of them were listed. */
static size_t listed(int n) {
	if (n < 0)
		return 0;
	return (size_t)n < SWEEP_BATCH ? (size_t)n : SWEEP_BATCH;
}

size_t sweep_children(struct sweep *sweep) {
	return listed(process_children(sweep->children, SWEEP_BATCH));
}

size_t sweep_children_of(struct sweep *sweep, int file) {
	return listed(process_children_from(file, sweep->children, SWEEP_BATCH));
}

/* Returns how many of the children have ended and been reaped. *ret_killed tells whether there was
 * at least one that may be killed. */
static size_t sweep_round(const pid_t *children, size_t n, bool *ret_killed) {
	size_t n_reaped = 0;

	*ret_killed = false;
	for (size_t i = 0; i < n; i++)
		*ret_killed |= sweep_kill(children[i]) != -EPERM;
	for (size_t i = 0; i < n; i++)
		if (child_has_ended(children[i], NULL) == 1 && process_reap(children[i], NULL) == 0)
			n_reaped++;
	return n_reaped;
}

size_t sweep_everything(struct sweep *sweep) {
	const struct timespec round = { .tv_nsec = SWEEP_ROUND_NS };
	nsec_t give_up = clock_in_ms(SWEEP_PATIENCE_MS);
	sigset_t child_signal;
	size_t n;

	(void)sigemptyset(&child_signal);
	(void)sigaddset(&child_signal, SIGCHLD);
	while ((n = sweep_children(sweep)) > 0) {
		bool killed;
		size_t n_reaped = sweep_round(sweep->children, n, &killed);

		if (n_reaped > 0 || killed)
			give_up = clock_in_ms(SWEEP_PATIENCE_MS);
		else if (clock_now() >= give_up)
			return n;
		if (n_reaped == 0)
			(void)sigtimedwait(&child_signal, NULL, &round);
	}
	return 0;
}
