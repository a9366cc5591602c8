/* SPDX-License-Identifier: MIT
 *
 * What the end of a worker means for the tasks on its channel.
 */
#pragma once

#include "executor/worker.h"

/* Its end has been reported (worker->status, if known). Every task that it had is resolved or
 * queued again; one that waits for the sweep (WF_TASK_WAIT_EXIT) becomes its awaiting_exit. Returns
 * true if a task was running. */
bool postmortem(struct worker *worker);

/* What it left behind is gone: resolves its awaiting_exit. */
void postmortem_swept(struct worker *worker);
