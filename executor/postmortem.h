/* SPDX-License-Identifier: MIT
 *
 * What the end of a worker means for the tasks that were on its channel.
 */
#pragma once

#include "executor/worker.h"

/* Its end has been reported (worker->status, if it is known). Every task that it had is resolved or
 * queued again; one that waits for the sweep (WF_TASK_WAIT_EXIT) is its awaiting_exit. True: a task
 * ran. */
bool postmortem(struct worker *worker);

/* What it left behind is gone: its awaiting_exit resolves. */
void postmortem_swept(struct worker *worker);
