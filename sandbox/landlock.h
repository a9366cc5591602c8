/* SPDX-License-Identifier: MIT
 *
 * Landlock restricts the files, ports, signals and abstract sockets that a worker can reach.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/policy.h"
#include "sandbox/place.h"
#include "sandbox/trouble.h"

/* Returns 0 if there is no Landlock. */
int landlock_abi(void);

/* Makes the ruleset of a policy, whose places are open. If there is a view, the caller is in it;
 * `scratch` means that it has one. Returns a descriptor; or a negative value and `trouble`. */
int landlock_build(const struct policy *policy, const struct places *places, int abi,
		   bool own_network, bool scratch, struct sandbox_trouble *trouble);

/* Each worker enters a domain of its own, because siblings in one domain could signal each other.
 * Returns 0 or -errno. */
int landlock_enter(int ruleset);
