/* SPDX-License-Identifier: MIT
 *
 * Finds out what has become of the children of this process. Only for processes that reap all their
 * children, which are the keeper, zygotes and workers, and never for a host. The children are
 * reaped with process_reap().
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/process.h"

/* The state of a child by its pid, or of a thread of one that has made this process its tracer. */
enum child_state { CHILD_RUNS, CHILD_ENDED, CHILD_STOPPED, CHILD_WENT_ON };

/* Returns the state, fills *ret (may be NULL) for CHILD_ENDED, and does not reap. A stop or a
 * continuation is reported once. A tracee that waits for this process, its tracer, is let go and
 * reported as running. Returns -ECHILD if there is no such child. */
int child_look(pid_t child, struct exit_status *ret);

/* Tells whether the child has ended, without reaping it or changing anything. Returns 1 and fills
 * *ret (may be NULL), or 0, or -ECHILD. */
int child_has_ended(pid_t child, struct exit_status *ret);

/* Finds the first child that has ended, or a tracee that waits to be let go; with `changes`, also
 * one that has stopped or gone on. Returns 1, 0 if there is none, or -ECHILD if there are no
 * children at all. */
int child_next(bool changes, pid_t *ret);

/* Tells whether there is any child, in any state. Changes nothing. */
bool child_exists(void);

/* Returns a signalfd of SIGCHLD, which must be blocked, or -errno. It is close-on-exec, and reading
 * it never blocks. */
int child_signals(void);

/* For a pid that child_look() finds: tells whether it is a thread other than its
 * process's first. */
bool child_is_thread(pid_t child);
