/* SPDX-License-Identifier: MIT
 *
 * The sandbox: prepared once in the zygote, and entered by each worker.
 *
 *     prepare   namespaces are entered and their init started; a child, which may use as much
 *               memory as it likes, builds the view of the file system, makes the Landlock ruleset
 *               and compiles the filter; limits that can be inherited are set; capabilities that
 *               neither workers nor zygote need are dropped; the filter is installed if the zygote
 *               can run under it
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

enum sandbox_probes { SANDBOX_PROBE_NONE, SANDBOX_PROBE_SELF, SANDBOX_PROBE_ALL };

struct sandbox {
	bool on;          /* there is a policy */
	uint32_t layers;  /* in force */
	uint32_t missing; /* asked for, but not available (best effort) */
	int landlock_abi;
	int view;          /* a mount namespace, or -1 */
	int ruleset;       /* of Landlock, or -1 */
	int listener;      /* of the zygote's filter, until the executor has it; else -1 */
	pid_t init;        /* of the pid namespace, or 0 */
	int init_children; /* /proc/INIT/task/INIT/children, or -1 */
	int own_children;  /* the zygote's own, as it opens nothing under the filter; or -1 */
	bool change_identity;
	uid_t uid;
	gid_t gid;
	int lifeline;    /* of the zygote, polled by the init */
	int null_device; /* for tasks with a null stream, because the view may have none; or -1 */
	bool own_user_namespace;        /* of each worker, to count its processes */
	bool own_ipc;                   /* of each worker, so that nothing in it stays */
	bool scratch;                   /* each worker mounts its own */
	const struct view_below *below; /* what the policy names in it */
	size_t n_below;
	enum sandbox_probes probes; /* of each worker, as it enters */
	bool one_shot;              /* there is one worker, and it runs all probes */
	bool command; /* workers become programs and need no shareable memory for results */
	uint64_t limits[N_POLICY_LIMITS];
	/* of the image; RLIMIT_DATA and RLIMIT_AS count it */
	uint64_t memory_base, address_base;
	struct sandbox_cgroup cgroup;
	struct sandbox_filter filter; /* for workers; size 0 if inherited, or if there is none */
	bool filter_listens;
	bool filter_inherited;        /* from the zygote; then `filter` is used only for that */
	uint64_t namespace_inodes[8]; /* of the host, to show that ours are others */
	dev_t root_device;            /* likewise */
	ino_t root_inode;
	bool probe_landlock;   /* what its probe opens is not declared */
	char text[LIMIT_TEXT]; /* the layers in force, and what is missing */
};

/* Tells whether this layer is in force. */
static inline bool sandbox_has(const struct sandbox *sandbox, uint32_t layer) {
	return (sandbox->layers & layer) != 0;
}
