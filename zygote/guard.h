/* SPDX-License-Identifier: MIT
 *
 * The guard is the parent of the keeper, and cleans up if the keeper is killed.
 */
#pragma once

#include <sys/types.h>

struct sweep;

/* Runs in the process that was started, after it has forked the keeper. `host` is a pidfd; `sweep`
 * is for the guard's own use. */
_Noreturn void guard_run(pid_t keeper, int host, struct sweep *sweep);
