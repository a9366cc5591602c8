/* SPDX-License-Identifier: MIT
 *
 * Which task goes to which worker.
 */
#pragma once

#include "executor/pool.h"

/* Gives waiting tasks to workers, as many as they can take. */
void hand_out(struct pool *pool);

/* How many tasks may lie on the channel of a reused worker, including the running one: as many as
 * are short enough that none waits long behind another. */
unsigned hand_out_depth(const struct wf_executor_options *options, uint64_t n_runs,
			uint64_t mean_run_ns);
