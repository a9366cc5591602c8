/* SPDX-License-Identifier: MIT
 *
 * Control groups: one for each worker that runs, for limits that no other mechanism keeps per worker.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"

struct sandbox_cgroup_tree {
	char base[256]; /* ours, in which each cell has one; "": none */
};

struct sandbox_cgroup {
	bool v2; /* one tree, `memory`, has both controllers */
	struct sandbox_cgroup_tree memory, pids;
	uint64_t memory_limit, pids_limit; /* POLICY_NO_LIMIT: none */
};

struct sandbox_cgroup_entry {
	int fds[2]; /* cgroup.procs; -1: none */
};

/* Finds out where groups for these limits can be made, and makes one to see that it works. 0; -ENOENT: nowhere
 * (`text` says why). */
int cgroup_prepare(struct sandbox_cgroup *cgroup, uint64_t memory_limit, uint64_t pids_limit,
		   char *text, size_t size);

/* In the zygote, before a fork: makes the group of a cell, or finds it from the worker before. 0 or
 * -errno. */
int cgroup_open(const struct sandbox_cgroup *cgroup, unsigned cell,
		struct sandbox_cgroup_entry *ret);
void cgroup_close(struct sandbox_cgroup_entry *entry);
/* In the worker. 0 or -errno. */
int cgroup_enter(const struct sandbox_cgroup_entry *entry);
