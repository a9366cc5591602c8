/* SPDX-License-Identifier: MIT
 *
 * What a task was refused: kept with its future, equal ones together, up to a limit.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <warmfork/executor.h>

struct refusals {
	struct wf_refusal *list; /* WF_MAX_REFUSALS, once there is one; strings are ours */
	size_t n;
	uint64_t n_dropped;
	struct wf_refusal ending; /* the one that ended the task: ours, and not in the list */
	bool has_ending;
};

/* Borrow the strings of `refusal`. */
void refusals_add(struct refusals *refusals, const struct wf_refusal *refusal);
void refusals_end(struct refusals *refusals,
		  const struct wf_refusal *refusal); /* the first counts */
void refusals_clear(struct refusals *refusals);
