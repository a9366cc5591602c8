/* SPDX-License-Identifier: MIT
 *
 * Which process an executor belongs to, and what a forked child of the host must not keep.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

/* An executor that is open. */
struct registered {
	struct link link;
	const int *descriptor; /* the keeper's socket: a forked child closes its copy */
};

/* Before the first executor of a process is opened; any number of times. -ENOMEM. */
int registry_begin(void);
/* A number for this process: another one in a forked child. */
uint64_t registry_process(void);
/* Is it the number of this process? False in a child that has not called registry_begin(), too. */
bool registry_is_this_process(uint64_t process);

void registry_add(struct registered *registered);
void registry_remove(struct registered *registered);
