/* SPDX-License-Identifier: MIT
 *
 * How workers are made to end: they are dismissed, hurried, sent SIGTERM, or killed.
 *
 *              stop_worker()          grace over
 *   STOP_NONE -------------> STOP_TERM ---------> STOP_KILL    (if it is stopped: KILL at once,
 *       `-------> STOP_STACK ----^-------------------^          because SIGTERM would wait too)
 *
 * However it ends, its tasks resolve when its end is reported. Tasks that it has not begun go back
 * to the queue at once.
 */
#pragma once

#include "executor/worker.h"

/* Tells it to leave when it has done its running tasks. */
void stop_dismiss(struct worker *worker);
/* Ends its stream, so that it need not linger after its last task. */
void stop_hurry(struct worker *worker);
/* Sends SIGKILL at once. */
void stop_kill(struct worker *worker);
/* Sends SIGTERM, then SIGKILL after `grace_ms` (0: the executor's; WF_NO_GRACE: SIGKILL at
 * once). */
void stop_worker(struct worker *worker, int grace_ms);
/* The same with the executor's grace. If options.stack_on_timeout is set, the worker first writes
 * its call stack. */
void stop_with_stack(struct worker *worker);
/* It broke the protocol: kills it, and its running task says so (WF_BY_PROTOCOL). */
void stop_distrust(struct worker *worker, const char *what);

/* Kills it unless its initializer ends in time (options.preload_timeout_ms). */
void stop_unless_ready(struct worker *worker);
/* It has closed its channel: kills it, like stop_distrust(), unless it ends soon. */
void stop_unless_ended(struct worker *worker);

/* Ends a running task. Returns false if it is over and its result is on the way. */
bool stop_task(struct wf_future *future, enum wf_killer by, int grace_ms);
/* Ends a task for a violation of the policy. */
void stop_violation(struct wf_future *future);
/* Sends a user's signal to its process group. Returns false if it is over. */
bool stop_signal(struct wf_future *future, int signal);
