/* SPDX-License-Identifier: MIT
 *
 * What the children of this process have come to. For processes that are the reaper of all their
 * children: keeper, zygote, worker; never for a host. They are reaped with process_reap().
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/process.h"

/* A child by its pid, or a thread of one that has made this process its tracer. */
enum child_state { CHILD_RUNS, CHILD_ENDED, CHILD_STOPPED, CHILD_WENT_ON };

/* Fills *ret (may be NULL) for CHILD_ENDED, and does not reap. A stop or a continuation is told
 * once. A tracee that waits for this process, its tracer, is let go, and runs. -ECHILD: no
 * child. */
int child_look(pid_t child, struct exit_status *ret);

/* Has it ended? Tells it without reaping, and changes nothing. 1 and *ret (may be NULL), 0,
 * -ECHILD. */
int child_has_ended(pid_t child, struct exit_status *ret);

/* The first child that has ended, or a tracee that waits to be let go; with `changes`, also one
 * that has stopped or gone on. 1; 0: none; -ECHILD: there are no children at all. */
int child_next(bool changes, pid_t *ret);

/* Is there a child at all, in any state? Changes nothing. */
bool child_exists(void);

/* A signalfd of SIGCHLD, which has to be blocked: close-on-exec, and a read never waits. -errno. */
int child_signals(void);

/* Of a pid that child_look() finds: is it a thread that is not its process? */
bool child_is_thread(pid_t child);
