/* SPDX-License-Identifier: MIT
 *
 * What a task was refused: kept with its future, equal ones together, up to a limit.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <warmfork/executor.h>

struct refusals {
	struct wf_refusal *list; /* WF_MAX_REFUSALS, once there is one; strings are ours */
	size_t n;
	uint64_t n_dropped;
};

/* Borrows the strings of `refusal`. Returns the one that is kept; NULL: there was no room. */
const struct wf_refusal *refusals_add(struct refusals *refusals, const struct wf_refusal *refusal);
void refusals_clear(struct refusals *refusals);
