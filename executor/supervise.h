/* SPDX-License-Identifier: MIT
 *
 * Clocks and force: deadlines, the stop ladder, idle time, output limits.
 */
#pragma once

#include "executor/executor.h"

/* Arms the future's timer for whichever of its clocks is next. */
void supervise_watch(struct wf_future *future);

/* Ends a running task. `grace_ms` as in wf_future_kill(). False: it is over, and its result on the way. */
bool supervise_kill(struct wf_future *future, enum wf_killer by, int grace_ms);

/* Of the user's, to its process group. False: it is over. */
bool supervise_signal(struct wf_future *future, int signal);

/* SIGTERM, then SIGKILL after grace_ms; SIGKILL at once if it is stopped or there is no grace. */
void supervise_stop(struct worker *worker, int grace_ms);
void supervise_now_kill(struct worker *worker);

/* The policy ends it. */
void supervise_violation(struct wf_future *future);

/* The worker broke the protocol. */
void supervise_distrust(struct worker *worker);
/* It closed its channel: it is about to end, or it cheats. */
void supervise_channel_closed(struct worker *worker);

/* There is somebody on the idle list, on the leaving list. */
void supervise_idle(struct wf_executor *executor);
void supervise_leaving(struct wf_executor *executor);

/* Descriptors or buffers are short, and no event will tell when they are not: look again soon. */
void supervise_retry(struct wf_executor *executor);

void supervise_on_capture(struct source *source, uint32_t events);
/* Drains the captures of a task that is about to resolve, and sees whether they are over a limit.
 */
void supervise_check_output(struct wf_future *future);
