/* SPDX-License-Identifier: MIT
 *
 * Outcomes: what they own, and how they read. conclude.h makes each kind.
 */
#pragma once

#include <stddef.h>

#include <warmfork/executor.h>

/* What an outcome points to. */
struct outcome_memory {
	void *mapping; /* of a large result */
	size_t mapping_size;
	void *data; /* of a small one */
	char *message;
	char *evidence;
	char *stack, *layers, *learned;
	struct wf_death *deaths; /* WF_MAX_DEATHS of them, once there is one */
	size_t n_deaths;
};

/* Makes an outcome whose members point at static empty values. */
void outcome_init(struct wf_outcome *outcome);
void outcome_memory_clear(struct outcome_memory *memory);
