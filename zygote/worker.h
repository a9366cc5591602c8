/* SPDX-License-Identifier: MIT
 *
 * The worker: a process forked from the zygote that runs one task after another.
 */
#pragma once

#include <stdint.h>

#include "zygote/image.h"

/* What the zygote passes to the child, all of it copied or inherited. */
struct worker_start {
	uint64_t worker_id;
	uint32_t slot, cell, max_tasks;
	uint32_t cpu; /* plus 1; 0 for any */
	int channel, cells;
	int lifeline; /* -1 if the init of the pid namespace has it */
	struct sandbox_cgroup_entry group;
	const struct image *image;
};

/* Called in the child right after the fork. */
_Noreturn void worker_run(const struct worker_start *start);
