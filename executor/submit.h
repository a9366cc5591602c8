/* SPDX-License-Identifier: MIT
 *
 * From a wf_task to a queued future.
 */
#pragma once

#include "executor/executor.h"

/* A chunk number for tasks that should travel together. */
uint64_t submit_batch(struct wf_executor *executor);

/* Copies what the caller's header knew, and checks it. 0 or a public error, reported. */
int submit_check(const struct wf_task *given, struct wf_task *ret);

/* Queues a checked task, and hands out what is queued if it is `alone`; else submit_done() has to follow. 0
 * or a public error, reported. `batch` 0: none. `context` (a reference is taken) instead of the
 * task's; NULL: the task's. */
int submit_task(struct wf_executor *executor, const struct wf_task *task, bool alone,
		uint64_t batch, struct task_context *context, struct wf_future **ret);
/* Reports -ENOENT, with the names that there are. */
int submit_unknown(const struct wf_executor *executor, const char *function);
/* Hands out what was queued. */
void submit_done(struct wf_executor *executor);
