/* SPDX-License-Identifier: MIT
 *
 * Learning: the policy that a task would have needed, from what it did.
 */
#pragma once

#include "executor/attempt.h"
#include "executor/future.h"

/* What attempt_wants_path() said has been asked. Without a future nothing is learned. */
void learn_attempt(const struct attempt *attempt);
/* The text of the policy, for free(3); NULL: nothing was learned. */
char *learn_text(struct wf_future *future);
