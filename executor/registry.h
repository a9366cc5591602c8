/* SPDX-License-Identifier: MIT
 *
 * Which process an executor belongs to, and what a forked child of the host must not keep.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

/* An open executor. */
struct registered {
	struct list_node link;
	const int *descriptor; /* the keeper's socket: a forked child closes its copy */
};

/* Call this before a process opens its first executor; further calls are harmless. Returns 0 or
 * -ENOMEM. */
int registry_begin(void);
/* A number for this process; a forked child has another. */
uint64_t registry_process(void);
/* Is it the number of this process? Also false in a child that has not called registry_begin(). */
bool registry_is_this_process(uint64_t process);

void registry_add(struct registered *registered);
void registry_remove(struct registered *registered);
/* In a forked child that will not use the library as a host: its own children close nothing. */
void registry_forget(void);
