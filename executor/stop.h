/* SPDX-License-Identifier: MIT
 *
 * How workers are made to end: they are dismissed, hurried, asked by SIGTERM, or killed.
 *
 *              stop_worker()          grace over
 *   STOP_NONE -------------> STOP_TERM ---------> STOP_KILL    (if it is stopped: KILL at once, for
 *       `-------> STOP_STACK ----^-------------------^          SIGTERM would wait as well)
 *
 * Whatever way it takes, its tasks resolve when its end is reported. What it has not begun goes
 * back to the queue at once.
 */
#pragma once

#include "executor/worker.h"

/* Tells it to leave when it has done what it runs. */
void stop_dismiss(struct worker *worker);
/* Ends its stream: it need not linger after its last task. */
void stop_hurry(struct worker *worker);
/* SIGKILL, now. */
void stop_kill(struct worker *worker);
/* SIGTERM, then SIGKILL after `grace_ms` (0: the executor's; WF_NO_GRACE: SIGKILL at once). */
void stop_worker(struct worker *worker, int grace_ms);
/* The same with the executor's grace; before it, the worker writes its call stack if that is wanted
 * (options.stack_on_timeout). */
void stop_with_stack(struct worker *worker);
/* It broke the protocol: it is killed, and its running task says so (WF_BY_PROTOCOL). */
void stop_distrust(struct worker *worker, const char *what);

/* SIGKILL unless its initializer ends in time (options.preload_timeout_ms). */
void stop_unless_ready(struct worker *worker);
/* It has closed its channel. SIGKILL, as stop_distrust(), unless it ends soon. */
void stop_unless_ended(struct worker *worker);

/* Ends a running task. False: it is over, and its result is on the way. */
bool stop_task(struct wf_future *future, enum wf_killer by, int grace_ms);
/* The policy ends it. */
void stop_violation(struct wf_future *future);
/* A signal of the user's, to its process group. False: it is over. */
bool stop_signal(struct wf_future *future, int signal);
