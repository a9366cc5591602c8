/* SPDX-License-Identifier: MIT
 *
 * The sandbox: what is prepared once in the zygote, and entered by each worker.
 *
 *     prepare   namespaces entered, their init started; in a child, which may use as much memory as
 *               it likes, the view of the file system is built, the Landlock ruleset made, and the
 *               filter compiled; limits that can be inherited are set, capabilities that no worker
 *               and no zygote needs are dropped; the filter is installed if the zygote can live under
 *               it
 *     enter     control group, view, identity, limits, Landlock, capabilities, filter
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/limits.h"
#include "proto/policy.h"
#include "sandbox/cgroup.h"
#include "sandbox/filter.h"

struct sandbox {
	bool on;          /* there is a policy */
	uint32_t layers;  /* in force */
	uint32_t missing; /* asked for, not to be had (best effort) */
	int landlock_abi;
	int view;          /* a mount namespace; -1: none */
	int ruleset;       /* of Landlock; -1: none */
	int listener;      /* of the zygote's filter, until the executor has it; -1 */
	pid_t init;        /* of the pid namespace; 0: none */
	int init_children; /* /proc/INIT/task/INIT/children; -1 */
	int own_children;  /* the zygote's own: under the filter it opens nothing; -1 */
	bool change_identity;
	uid_t uid;
	gid_t gid;
	int lifeline;    /* of the zygote: the init polls it */
	int null_device; /* for tasks whose stream is to be it: the view may have none; -1 */
	bool own_user_namespace;        /* of each worker, to count its processes */
	bool scratch;                   /* each worker mounts its own, */
	const struct view_below *below; /* and into it what the policy names there */
	size_t n_below;
	bool probe_workers;
	bool
	    command; /* workers become programs: they need no memory that can be shared for results */
	uint64_t limits[N_POLICY_LIMITS];
	uint64_t memory_base; /* of the image; RLIMIT_DATA counts it */
	struct sandbox_cgroup cgroup;
	struct sandbox_filter filter; /* for workers; size 0: inherited, or none */
	bool filter_listens;
	bool filter_inherited;        /* from the zygote, and `filter` is only for that */
	uint64_t namespace_inodes[8]; /* of the host, to show that ours are others */
	char text[LIMIT_TEXT];        /* the layers in force, and what is missing */
};

/* Is this layer in force? */
static inline bool sandbox_has(const struct sandbox *sandbox, uint32_t layer) {
	return (sandbox->layers & layer) != 0;
}
