/* SPDX-License-Identifier: MIT
 *
 * A layer is shown to be in force by something that must fail under it, not by what
 * installing it returned.
 */
#pragma once

#include "sandbox/sandbox.h"
#include "sandbox/trouble.h"

/* Forks a process that enters the sandbox like a worker and runs the probes. Returns 0; or a
 * negative value and `trouble`. */
int probe_run(const struct sandbox *sandbox, const struct policy *policy,
	      struct sandbox_trouble *trouble);

/* Runs the probes that a worker can run once it has entered, without involving the listener.
 * Returns 0, or the layer that is not in force. */
uint32_t probe_self(const struct sandbox *sandbox);
