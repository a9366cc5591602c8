/* SPDX-License-Identifier: MIT
 *
 * Landlock: the files, ports, signals and abstract sockets that a worker can reach.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/policy.h"
#include "sandbox/trouble.h"

/* 0: there is no Landlock here. */
int landlock_abi(void);

/* Makes the ruleset of a policy, with paths as the caller sees them; `scratch`: in a view with it. A descriptor, or negative and
 * `trouble`. */
int landlock_build(const struct policy *policy, int abi, bool own_network, bool scratch,
		   struct sandbox_trouble *trouble);

/* Each worker a domain of its own: siblings with one domain could signal each other. 0 or -errno. */
int landlock_enter(int ruleset);
