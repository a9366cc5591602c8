/* SPDX-License-Identifier: MIT
 *
 * A worker enters its sandbox.
 */
#pragma once

#include "sandbox/sandbox.h"

/* In a worker, first: the control group, the view and the identity. Between the two it opens what it needs
 * for itself and no task may open. 0; or -errno and *ret_step. */
int sandbox_enter_view(const struct sandbox *sandbox, const struct sandbox_cgroup_entry *group,
		       const char **ret_step);
/* All the rest. *ret_listener is the worker's own, or -1. 0; or -errno and *ret_step. */
int sandbox_enter_rest(const struct sandbox *sandbox, int *ret_listener, const char **ret_step);
