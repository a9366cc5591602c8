/* SPDX-License-Identifier: MIT
 *
 * The zygote's namespaces, which its workers inherit, and the init of the pid namespace.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "sandbox/sandbox.h"
#include "sandbox/trouble.h"

/* Enters those of `layers` one by one, so that the one that fails is named. sandbox->layers tells
 * which were entered. */
int namespace_enter(struct sandbox *sandbox, uint32_t layers, bool strict,
		    struct sandbox_trouble *trouble);

/* Brings up the loopback of a network namespace of our own, if the policy allows families that
 * use it. */
int namespace_finish_network(const struct sandbox *sandbox, uint32_t families,
			     struct sandbox_trouble *trouble);

/* Starts the process that is pid 1 of the namespace. At first it runs `work` (NULL: nothing); then
 * it holds no secret, does nothing, and ends when the lifeline does, which ends everything in the
 * namespace. */
int namespace_start_init(struct sandbox *sandbox, void (*work)(void *), void *context,
			 struct sandbox_trouble *trouble);

/* Opens /proc/self, for namespace_own_user(): the /proc of the view cannot be written to. Returns a
 * descriptor or -errno. */
int namespace_open_self(void);
/* Moves the calling worker into a user namespace of its own, in which its processes are counted.
 * Returns 0 or -errno. */
int namespace_own_user(int self);

/* Probes those that this process itself is in. Returns 0; or a negative value and `trouble`. */
int namespace_check(const struct sandbox *sandbox, struct sandbox_trouble *trouble);
