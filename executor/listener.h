/* SPDX-License-Identifier: MIT
 *
 * Answers calls that a sandbox's filter asks about: user notifications (seccomp_unotify(2)). It
 * notes what was refused; Landlock and the filters decide.
 */
#pragma once

#include "executor/generation.h"
#include "executor/worker.h"

/* Listens on generation->listener_fd, for all its workers; on worker->listener_fd, for one. Returns
 * 0; or -errno, and has closed the descriptor. */
int listener_start_generation(struct generation *generation);
int listener_start_worker(struct worker *worker);
