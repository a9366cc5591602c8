/* SPDX-License-Identifier: MIT
 *
 * The guard: the parent of the keeper, for the case that it is killed.
 */
#pragma once

#include <sys/types.h>

struct sweep;

/* In the process that was started, which has forked the keeper; `host` is a pidfd, `sweep` is for
 * its own use. */
_Noreturn void guard_run(pid_t keeper, int host, struct sweep *sweep);
