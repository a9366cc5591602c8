/* SPDX-License-Identifier: MIT
 *
 * Ending children, for processes that reap all their children themselves: keeper, zygote, worker.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* More children than that are seen in the next round. */
#define SWEEP_BATCH 32768

/* SIGKILL to a child that has not been reaped. 0, or -errno. */
int sweep_kill(pid_t child);

/* Where children are listed; too large for a stack. */
struct sweep {
	pid_t children[SWEEP_BATCH];
};

/* Lists the children of this process now, and says how many there are. */
size_t sweep_children(struct sweep *sweep);
/* The same of a process whose children file this is (process_children_from()). */
size_t sweep_children_of(struct sweep *sweep, int file);

/* Kills and reaps until there is no child left; SIGCHLD must be blocked. Returns 0, or how many have
 * become processes of another user, which cannot be killed: those it awaits for some seconds. */
size_t sweep_everything(struct sweep *sweep);
