/* SPDX-License-Identifier: MIT
 *
 * How many workers are wanted, and the requests for those that are missing.
 */
#pragma once

#include "executor/pool.h"

/* What is wanted, as opposed to what exists (struct census). */
struct demand {
	bool fresh;   /* a process for each task */
	bool open;    /* the executor takes tasks */
	bool parking; /* spares are wanted now */
	unsigned queued;
	unsigned slots;           /* that take tasks */
	unsigned minimum, spares; /* options.min_workers, options.spares */
};

/* How many more workers are wanted at once, and how many of them a task cannot do without. */
struct wanted {
	unsigned all;
	unsigned urgent; /* tasks wait although slots are empty */
};
struct wanted plan_wanted(const struct census *census, const struct demand *demand);

/* Asks the newest zygote for the workers that are missing. */
void plan(struct pool *pool);
