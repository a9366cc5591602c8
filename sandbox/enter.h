/* SPDX-License-Identifier: MIT
 *
 * A worker enters its sandbox.
 */
#pragma once

#include "sandbox/sandbox.h"

/* Called first in a worker: enters the control group, the view and the identity. Before
 * sandbox_enter_rest() the worker opens what it needs itself and tasks may not open. Returns 0; or
 * -errno and *ret_step. */
int sandbox_enter_view(const struct sandbox *sandbox, const struct sandbox_cgroup_entry *group,
		       const char **ret_step);
/* Enters all other layers. *ret_listener is the worker's own, or -1. Returns 0; or -errno
 * and *ret_step. */
int sandbox_enter_rest(const struct sandbox *sandbox, int *ret_listener, const char **ret_step);
