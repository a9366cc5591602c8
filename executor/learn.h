/* SPDX-License-Identifier: MIT
 *
 * Learning: derives the policy that a task would have needed from what it did.
 */
#pragma once

#include "executor/attempt.h"
#include "executor/future.h"

/* Adds what the attempt needed to what its task has needed so far. Call it without the lock,
 * because it looks at files and at the task's memory, which may block. What it finds after the
 * future has resolved is lost. */
void learn_attempt(struct wf_future *future, const struct attempt *attempt);
/* Writes what was learned into the outcome of a resolved future (options.learn); only the first
 * call has an effect. It looks at no file. Call it without the lock, before an outcome is shown to
 * the user. */
void learn_finish(struct wf_future *future);
