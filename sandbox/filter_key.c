/* SPDX-License-Identifier: MIT */
#include "sandbox/filter_key.h"

#include <string.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "base/feature.h"

#define MFD_NOEXEC_SEAL_6_3 8U
#define RULES_DEPEND_ON     (LAYER_MOUNT | LAYER_PID | LAYER_NET | LAYER_IPC)

_Static_assert(sizeof(struct filter_key) == 24, "no padding");

/* True if everything is readable; then opening a file for reading need not be reported. */
static bool reads_all(const struct policy *policy) {
	for (size_t i = 0; i < policy->n_paths; i++)
		if (strcmp(policy->paths[i].path, "/") == 0 &&
		    policy->paths[i].access & POLICY_READ)
			return true;
	return false;
}

/* Those of a preset need no request of their own. */
static bool has_device(const struct policy *policy) {
	for (size_t i = 0; i < policy->n_paths; i++)
		if (policy->paths[i].access & POLICY_DEVICE && !policy->paths[i].optional)
			return true;
	return false;
}

static bool has_sealed_memfd(void) {
	cleanup_close int probe = memfd_create("probe", MFD_CLOEXEC | MFD_NOEXEC_SEAL_6_3);

	return probe >= 0 && !feature_hidden(FEATURE_MEMFD_NOEXEC);
}

struct filter_key filter_key_of(const struct policy *policy, bool private_memory, bool no_memfd) {
	bool notify = policy->report != POLICY_REPORT_NONE || policy->learn;
	bool tells_paths = notify && policy->report == POLICY_REPORT_PATHS;

	return (struct filter_key){
		.groups = policy->groups,
		.families = policy->families,
		.layers = policy->layers & RULES_DEPEND_ON,
		.notify = notify,
		.tells_paths = tells_paths,
		.reads_all = tells_paths && reads_all(policy) && !policy->learn,
		.private_memory = private_memory,
		.no_memfd = no_memfd,
		.sealed_memfd = has_sealed_memfd(),
		.has_device = has_device(policy),
		.may_listen = policy_may_listen(policy),
	};
}
