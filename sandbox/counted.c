/* SPDX-License-Identifier: MIT
 *
 * The kernel's own limits apply to one process or to one user. A count over all processes of a
 * worker needs a control group, or a substitute.
 */
#include "sandbox/counted.h"

#include <errno.h>

#include "base/error.h"
#include "base/feature.h"

/* Without a group, RLIMIT_DATA counts private memory. Where that is not enough, the filter allows
 * no other memory. */
static int settle_memory(struct sandbox *sandbox, const struct policy *policy, bool group,
			 struct sandbox_trouble *trouble) {
	if (policy->limits[POLICY_MEMORY] == POLICY_NO_LIMIT || group)
		return 0;
	if (!policy->strict)
		sandbox->missing |= LAYER_CGROUP;
	if (policy->layers & LAYER_LIMITS)
		return 0;
	return trouble_fail(trouble, LAYER_CGROUP, EPERM,
			    "limits.memory needs a control group or the layer limits");
}

/* If no control group can be made, the processes of each worker are counted in its own
 * user namespace. */
static int settle_processes(struct sandbox *sandbox, const struct policy *policy, bool group,
			    const char *why, struct sandbox_trouble *trouble) {
	if (policy->limits[POLICY_PROCESSES] == POLICY_NO_LIMIT || group)
		return 0;
	sandbox->own_user_namespace = policy->layers & LAYER_USER &&
				      policy->layers & LAYER_LIMITS &&
				      !feature_hidden(FEATURE_USERNS);
	if (sandbox->own_user_namespace)
		return 0;
	return trouble_fail(trouble, LAYER_CGROUP, EPERM,
			    "limits.processes needs a control group with pids, or a user namespace "
			    "for each worker: %s",
			    why);
}

int counted_settle(struct sandbox *sandbox, const struct policy *policy,
		   struct sandbox_trouble *trouble) {
	uint64_t memory = policy->limits[POLICY_MEMORY], pids = policy->limits[POLICY_PROCESSES];
	char why[256] = "the policy leaves out the layer cgroup";
	bool group = false;
	int r;

	if (memory == POLICY_NO_LIMIT && pids == POLICY_NO_LIMIT)
		return 0;
	if (policy->layers & LAYER_CGROUP)
		group = cgroup_prepare(&sandbox->cgroup, memory, pids, why, sizeof why) == 0;
	if (group)
		sandbox->layers |= LAYER_CGROUP;
	r = settle_processes(sandbox, policy, group, why, trouble);
	return r < 0 ? error_trace(r) : error_trace(settle_memory(sandbox, policy, group, trouble));
}
