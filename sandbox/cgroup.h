/* SPDX-License-Identifier: MIT
 *
 * Control groups: one for each running worker, for limits that no other mechanism applies to
 * a whole worker.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"

struct sandbox_cgroup_tree {
	char base[256]; /* our group, in which each cell has one; "" if there is none */
};

struct sandbox_cgroup {
	bool v2; /* one tree, `memory`, has both controllers */
	struct sandbox_cgroup_tree memory, pids;
	uint64_t memory_limit, pids_limit; /* POLICY_NO_LIMIT if there is none */
};

struct sandbox_cgroup_entry {
	int fds[2]; /* cgroup.procs, or -1 */
};

/* Finds out where groups for these limits can be made, and makes one to see whether it works.
 * Returns 0; or -ENOENT if there is no such place, with the reason in `text`. */
int cgroup_prepare(struct sandbox_cgroup *cgroup, uint64_t memory_limit, uint64_t pids_limit,
		   char *text, size_t size);

/* Called in the zygote before a fork: makes the group of a cell, or reopens that of its previous
 * worker. Returns 0 or -errno. */
int cgroup_open(const struct sandbox_cgroup *cgroup, unsigned cell,
		struct sandbox_cgroup_entry *ret);
void cgroup_close(struct sandbox_cgroup_entry *entry);
/* Called in the worker. Returns 0 or -errno. */
int cgroup_enter(const struct sandbox_cgroup_entry *entry);
