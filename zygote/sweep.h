/* SPDX-License-Identifier: MIT
 *
 * Ends children, for processes that reap all their children themselves: keeper, zygote, worker.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* Further children are seen in the next round. */
#define SWEEP_BATCH 32768

/* Sends SIGKILL to a child that has not been reaped. Returns 0 or -errno. */
int sweep_kill(pid_t child);

/* Room for a list of children; too large for a stack. */
struct sweep {
	pid_t children[SWEEP_BATCH];
};

/* Lists the present children of this process, and returns their number. */
size_t sweep_children(struct sweep *sweep);
/* Does the same for the process to which this children file belongs (process_children_from()). */
size_t sweep_children_of(struct sweep *sweep, int file);

/* Kills and reaps until no child is left; SIGCHLD must be blocked. Returns 0, or how many children
 * run as another user and cannot be killed; those are awaited for some seconds. */
size_t sweep_everything(struct sweep *sweep);
