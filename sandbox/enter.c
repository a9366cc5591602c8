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
#include "sandbox/probe.h"
#include "sandbox/view.h"

static int enter_view(const struct sandbox *sandbox, const struct sandbox_cgroup_entry *group,
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

/* All but the filter. */
static int enter_layers(const struct sandbox *sandbox, const char **ret_step) {
	int r = 0;

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
	return error_trace(r);
}

static int enter_filter(const struct sandbox *sandbox, struct sandbox_entry *entry) {
	int r = 0;

	entry->step = "system call filter";
	if (sandbox->filter.n > 0)
		r = filter_install(&sandbox->filter, sandbox->filter_listens);
	if (r >= 0 && sandbox->filter.n > 0 && sandbox->filter_listens)
		entry->listener = r;
	return r > 0 ? 0 : error_trace(r);
}

static int prove(struct sandbox_entry *entry, uint32_t unproven) {
	entry->unproven = unproven;
	if (!unproven)
		return 0;
	entry->step = policy_layer_name(unproven);
	return error_origin(-EIO);
}

int sandbox_enter_view(const struct sandbox *sandbox, const struct sandbox_cgroup_entry *group,
		       struct sandbox_entry *entry) {
	int r = enter_view(sandbox, group, &entry->step);

	if (r == 0 && sandbox->probes == SANDBOX_PROBE_ALL)
		r = prove(entry, probe_view(sandbox, &entry->opened));
	return error_trace(r);
}

int sandbox_enter_rest(const struct sandbox *sandbox, struct sandbox_entry *entry) {
	int r = enter_layers(sandbox, &entry->step);

	entry->listener = -1;
	if (r == 0 && sandbox->probes == SANDBOX_PROBE_ALL)
		r = prove(entry, probe_before_filter(sandbox, entry->opened));
	if (r == 0)
		r = enter_filter(sandbox, entry);
	if (r == 0 && sandbox->probes != SANDBOX_PROBE_NONE)
		r = prove(entry, probe_self(sandbox));
	return error_trace(r);
}
