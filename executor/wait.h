/* SPDX-License-Identifier: MIT
 *
 * Sleeping until futures have resolved.
 */
#pragma once

#include "executor/executor.h"

/* True if it has resolved. */
bool wait_is_resolved(struct wf_future *future);

/* Waits for one. 0, -ETIMEDOUT, -EDEADLK; not reported. */
int wait_for_one(struct wf_future *future, int timeout_ms);
