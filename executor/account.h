/* SPDX-License-Identifier: MIT
 *
 * What an outcome says about the worker that ran the task, and how the worker's own claims are
 * checked before they are reported.
 */
#pragma once

#include "executor/conclude.h"
#include "executor/future.h"
#include "executor/worker.h"

/* Fills in pid, slot, task number, generation, layers, and the stack if a clock has struck. Call it
 * before future_resolve(). */
void account_for(struct wf_future *future, const struct worker *worker);
/* Sets the times at which the task began and, now, ended. */
void account_times(struct wf_future *future);
/* Adds the address and code of the fault if the worker's own handler saw one with this signal. */
void account_fault(const struct worker *worker, struct conclude_end *end);

/* Discounts the out-of-memory kills of its control group so far: they are no evidence for what the
 * worker does from now on. */
void account_memory(struct worker *worker);
/* Did the kernel end it for lack of memory? Returns a sentence, borrowed until the next call, or
 * NULL. */
const char *account_oom(struct worker *worker);
