/* SPDX-License-Identifier: MIT
 *
 * That a layer is in force is shown by something that must fail under it, not by what installing it returned.
 */
#pragma once

#include "sandbox/sandbox.h"
#include "sandbox/trouble.h"

/* Forks a process that enters the sandbox as a worker does, and tries. 0; or negative and `trouble`. */
int probe_run(const struct sandbox *sandbox, const struct policy *policy,
	      struct sandbox_trouble *trouble);

/* What a worker can try of itself once it has entered, without asking the listener. 0, or the layer that is
 * not in force. */
uint32_t probe_self(const struct sandbox *sandbox);
