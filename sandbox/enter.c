/* SPDX-License-Identifier: MIT
 *
 * Enters one layer after the other. Every call is harmless if a task makes it again, so no second
 * filter is needed to forbid it afterwards.
 */
#include "sandbox/enter.h"

#include <errno.h>
#include <sched.h>

#include "base/error.h"
#include "base/fd.h"
#include "sandbox/capability.h"
#include "sandbox/identity.h"
#include "sandbox/landlock.h"
#include "sandbox/limits.h"
#include "sandbox/namespace.h"
#include "sandbox/view.h"

int sandbox_enter_view(const struct sandbox *sandbox, const struct sandbox_cgroup_entry *group,
		       const char **ret_step) {
	cleanup_close int self = -1;
	int r = 0;

	*ret_step = "control group";
	if (group)
		r = cgroup_enter(group);
	if (r == 0 && sandbox->own_ipc) {
		*ret_step = "ipc namespace";
		r = unshare(CLONE_NEWIPC) < 0 ? error_origin(-errno) : 0;
	}
	if (r == 0 && sandbox->own_user_namespace) {
		*ret_step = "user namespace";
		self = namespace_open_self();
		r = self < 0 ? self : 0;
	}
	if (r == 0 && sandbox->view >= 0) {
		*ret_step = "view of the file system";
		r = view_enter(sandbox->view);
	}
	if (r == 0 && sandbox->scratch) {
		*ret_step = "scratch space";
		r = view_mount_scratch(sandbox->limits[POLICY_SCRATCH], sandbox->below,
				       sandbox->n_below);
	}
	if (r == 0) {
		*ret_step = "identity";
		r = identity_enter(sandbox);
	}
	if (r == 0 && sandbox->own_user_namespace) {
		*ret_step = "user namespace";
		r = namespace_own_user(self);
	}
	return error_trace(r);
}

int sandbox_enter_rest(const struct sandbox *sandbox, int *ret_listener, const char **ret_step) {
	int r = 0;

	*ret_listener = -1;
	if (sandbox_has(sandbox, LAYER_LIMITS)) {
		*ret_step = "resource limits";
		r = limits_own(sandbox);
	}
	if (r == 0 && sandbox_has(sandbox, LAYER_LANDLOCK)) {
		*ret_step = "Landlock domain";
		r = landlock_enter(sandbox->ruleset);
	}
	if (r == 0 && sandbox_has(sandbox, LAYER_CAPABILITIES)) {
		*ret_step = "capabilities";
		r = capability_drop_all();
	}
	if (r == 0 && sandbox->filter.n > 0) {
		*ret_step = "system call filter";
		r = filter_install(&sandbox->filter, sandbox->filter_listens);
		if (r >= 0 && sandbox->filter_listens)
			*ret_listener = r;
		r = r > 0 ? 0 : r;
	}
	return error_trace(r);
}
