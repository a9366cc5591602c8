/* SPDX-License-Identifier: MIT
 *
 * The user and group that a worker runs as: one that owns nothing, unless the policy names another.
 */
#pragma once

#include "sandbox/sandbox.h"
#include "sandbox/trouble.h"

/* Called in the zygote: resolves what the policy names, and records it in both structs. Returns 0;
 * or a negative value and `trouble`. */
int identity_settle(struct sandbox *sandbox, struct policy *policy,
		    struct sandbox_trouble *trouble);

/* Called in a worker. Returns 0 or -errno. */
int identity_enter(const struct sandbox *sandbox);
