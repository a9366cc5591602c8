/* SPDX-License-Identifier: MIT
 *
 * The clocks of a task: timeout_ms from its start, deadline_ms from its submission.
 */
#pragma once

#include "executor/future.h"

/* Arms the future's timer for the clock that runs out next. */
void deadline_watch(struct wf_future *future);
