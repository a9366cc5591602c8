/* SPDX-License-Identifier: MIT
 *
 * A process that opens one executor, for one program, and ends with it, as `warmfork run` does. It
 * saves what only pays with the second task, and nothing of the sandbox (docs/adr/0013):
 *
 *     the keeper      is forked from this process, which has one thread, and executes nothing
 *     the probes      are run by the worker itself, and by no process before it
 *     at the end      the init of the pid namespace is killed and awaited, so that nothing is left
 *                     of the task; zygote and keeper end by themselves when this process has gone
 */
#pragma once

#include <stdbool.h>

#include <warmfork/executor.h>
#include <warmfork/task.h>

#include "executor/generation.h"

/* For the command alone: from now on this process is one. `helper` is wf_private_helper_main(). */
WF_EXPORT void wf_private_one_shot(int (*helper)(int argc, char **argv));

/* Is an executor with these options such a one? */
bool one_shot_is(const struct options *options);

/* Forks the helper as a child of this process, with these as its descriptors 3 and 4. In a pid
 * namespace nothing outlives the keeper, so it needs no guard. Returns 0; or -errno, also -EBUSY if
 * this process has several threads. */
int one_shot_fork_helper(const struct options *options, int control, int host, int *ret_pidfd);

/* Ends all that the task has started. Returns false if that takes the keeper, because there is no
 * pid namespace. */
bool one_shot_end(const struct generations *generations);
