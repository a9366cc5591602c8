/* SPDX-License-Identifier: MIT
 *
 * Learning: the policy that a task would have needed, from what it did.
 */
#pragma once

#include "executor/attempt.h"
#include "executor/future.h"

/* Adds what the attempt needed to what its task has needed so far. Without the lock: it looks at
 * files. The future must not have resolved. */
void learn_attempt(struct wf_future *future, const struct attempt *attempt);
/* Writes what was learned into the outcome of a resolved future (options.learn), the first time
 * that it is called. Without the lock. Whoever shows an outcome to the user calls it before. */
void learn_finish(struct wf_future *future);
