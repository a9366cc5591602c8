/* SPDX-License-Identifier: MIT
 *
 * Slots: how many workers there are, which of them is free, and when another is forked.
 */
#pragma once

#include "base/process.h"
#include "executor/executor.h"

/* Makes [0, n) the slots that take tasks; workers beyond finish what they run. -ENOMEM. */
int slot_resize(struct wf_executor *executor, unsigned n);

/* Its process is there; its initializer has as long as the preload had. */
void slot_started(struct worker *worker);
/* The worker has said that it can take tasks (error 0) or never will. */
void slot_ready(struct worker *worker, int error, const char *text);
/* It has nothing to do. */
void slot_idle(struct worker *worker);
/* It has. */
void slot_busy(struct worker *worker);
/* It ends by itself. */
void slot_leaving(struct worker *worker);
/* It may end at once. */
void slot_hasten(struct worker *worker);
/* Tells it to leave when it has done what it runs; what it has not claimed is taken back. */
void slot_retire(struct worker *worker);
/* Everything that a zygote's workers are waiting for is over: those that do nothing leave. */
void slot_retire_zygote(struct zygote *zygote);
/* A signal has stopped it, or let it go on. */
void slot_stopped(struct worker *worker, bool stopped);
/* Its end was reported, and its tasks have been seen to. The worker may be freed. */
void slot_ended(struct worker *worker, const struct exit_status *status, bool was_busy);
/* What it left behind is gone. Frees it. */
void slot_swept(struct worker *worker);
/* Spawn has failed for it. Frees it. */
void slot_spawn_failed(struct worker *worker, int error, const char *step);
/* Removes it from its slot and from every list; for channel_free(). */
void slot_forget(struct worker *worker);

/* Gives waiting tasks to workers. */
void slot_hand_out(struct wf_executor *executor);
/* Asks the newest zygote for workers that are wanted. */
void slot_plan(struct wf_executor *executor);

/* A start has failed: backs off, and after too many in a row resolves what is queued. */
void slot_start_failed(struct wf_executor *executor, enum wf_phase phase, int error,
		       const char *text);
/* A worker has done a task. */
void slot_start_worked(struct wf_executor *executor);
/* All that is queued resolves as not started. */
void slot_fail_queue(struct wf_executor *executor, const struct backoff *backoff);
