/* SPDX-License-Identifier: MIT
 *
 * The worker: a process forked from the zygote that runs one task after the other.
 */
#pragma once

#include <stdint.h>

#include "zygote/image.h"

/* What the zygote tells the child; all of it is copied or inherited. */
struct worker_start {
	uint64_t worker_id;
	uint32_t slot, cell, max_tasks;
	uint32_t cpu; /* plus 1; 0: anywhere */
	int channel, cells;
	int lifeline; /* -1: the init of the pid namespace has it */
	struct sandbox_cgroup_entry group;
	const struct image *image;
};

/* Right after the fork, in the child. */
_Noreturn void worker_run(const struct worker_start *start);
