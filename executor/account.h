/* SPDX-License-Identifier: MIT
 *
 * What an outcome says of the worker that ran the task, and how a worker's own word is checked
 * before it is told.
 */
#pragma once

#include "executor/conclude.h"
#include "executor/future.h"
#include "executor/worker.h"

/* Fills in pid, slot, task number, generation, layers, and the stack if a clock has struck. Before
 * future_resolve(). */
void account_for(struct wf_future *future, const struct worker *worker);
/* The times at which it began and ended: now. */
void account_times(struct wf_future *future);
/* Where the worker's own handler saw a fault of this signal. */
void account_fault(const struct worker *worker, struct conclude_end *end);

/* The out-of-memory kills of its control group so far are no evidence for what it does from now on. */
void account_memory(struct worker *worker);
/* Did the kernel end it for memory? A sentence that is borrowed until the next call, or NULL. */
const char *account_oom(struct worker *worker);
