/* SPDX-License-Identifier: MIT
 *
 * From a wf_task to a queued future.
 */
#pragma once

#include "executor/executor.h"

/* A chunk number, for tasks that should travel together. */
uint64_t submit_batch(struct wf_executor *executor);

/* Copies what the caller's header knew, and checks it. Returns 0 or a public error, reported. */
int submit_check(const struct wf_task *given, struct wf_task *ret);

/* Queues a checked task, and hands out queued tasks if it is `alone`; otherwise submit_done() must
 * follow. Returns 0 or a public error, reported. `batch` 0: none. `context` (a reference is taken)
 * replaces the task's; NULL: the task's. */
int submit_task(struct wf_executor *executor, const struct wf_task *task, bool alone,
		uint64_t batch, struct task_context *context, struct wf_future **ret);
/* Reports -ENOENT, with the names that exist. */
int submit_unknown(const struct wf_executor *executor, const char *function);
/* Hands out queued tasks. */
void submit_done(struct wf_executor *executor);
