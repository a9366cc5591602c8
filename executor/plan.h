/* SPDX-License-Identifier: MIT
 *
 * How many workers are wanted, and asking for those that are missing.
 */
#pragma once

#include "executor/pool.h"

/* What is asked for, beside what there is (struct census). */
struct demand {
	bool fresh;   /* a process for each task */
	bool open;    /* the executor takes tasks */
	bool parking; /* spares are wanted now */
	unsigned queued;
	unsigned slots;           /* that take tasks */
	unsigned minimum, spares; /* options.min_workers, options.spares */
};

/* How many more workers are wanted at once, and of them without which a task would wait in vain. */
struct wanted {
	unsigned all;
	unsigned urgent; /* tasks wait although slots are empty */
};
struct wanted plan_wanted(const struct census *census, const struct demand *demand);

/* Asks the newest zygote for workers that are wanted. */
void plan(struct pool *pool);
