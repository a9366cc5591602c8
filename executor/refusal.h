/* SPDX-License-Identifier: MIT
 *
 * What a task was refused. Refusals are kept with its future, equal ones merged, up to a limit.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <warmfork/executor.h>

struct refusals {
	/* WF_MAX_REFUSALS of them, once there is one; we own the strings */
	struct wf_refusal *list;
	size_t n;
	uint64_t n_dropped;
	/* the one that ended the task; it owns its strings and is not in the list */
	struct wf_refusal ending;
	bool has_ending;
};

/* Both borrow the strings of `refusal`. */
void refusals_add(struct refusals *refusals, const struct wf_refusal *refusal);
void refusals_end(struct refusals *refusals,
		  const struct wf_refusal *refusal); /* the first counts */
void refusals_clear(struct refusals *refusals);
