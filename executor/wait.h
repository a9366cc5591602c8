/* SPDX-License-Identifier: MIT
 *
 * Sleeping until futures have resolved.
 */
#pragma once

#include "executor/executor.h"

/* Has it resolved? */
bool wait_is_resolved(struct wf_future *future);

/* Waits for one future. Returns 0, -ETIMEDOUT or -EDEADLK; not reported. */
int wait_for_one(struct wf_future *future, int timeout_ms);
