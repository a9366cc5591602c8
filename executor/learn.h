/* SPDX-License-Identifier: MIT
 *
 * Learning: the policy that a task would have needed, from what it did.
 */
#pragma once

#include <stdint.h>

#include "executor/future.h"
#include "proto/calls.h"

/* The task made a call, and wanted this access to a path (NULL: none that counts). `future` may be NULL. */
void learn_attempt(struct wf_future *future, const struct call *call,
		   const uint64_t arguments[CALL_ARGUMENTS], const char *path, uint32_t access);
/* The text of the policy, for free(3); NULL: nothing was learned. */
char *learn_text(struct wf_future *future);
