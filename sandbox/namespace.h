/* SPDX-License-Identifier: MIT
 *
 * Namespaces of the zygote, which its workers inherit, and the init of the pid namespace.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "sandbox/sandbox.h"
#include "sandbox/trouble.h"

/* Enters those of `layers`, one by one, so that the one that cannot be had is named. Those that were
 * entered are left in sandbox->layers. */
int namespace_enter(struct sandbox *sandbox, uint32_t layers, bool strict,
		    struct sandbox_trouble *trouble);

/* Brings up the loopback of a network namespace of our own, if the policy allows families that use it. */
int namespace_finish_network(const struct sandbox *sandbox, uint32_t families,
			     struct sandbox_trouble *trouble);

/* Starts the process that is pid 1 of the namespace: it holds no secret, does nothing, and ends when the lifeline
 * does, which ends all in the namespace. */
int namespace_start_init(struct sandbox *sandbox, struct sandbox_trouble *trouble);

/* A user namespace of the calling worker's own, in which its processes are counted. 0 or -errno. */
int namespace_own_user(void);

/* Are we in another namespace than the host? For probes. */
bool namespace_is_other(const struct sandbox *sandbox, uint32_t layer);
