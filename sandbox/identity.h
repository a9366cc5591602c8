/* SPDX-License-Identifier: MIT
 *
 * Who a worker is: somebody who owns nothing, unless the policy names another.
 */
#pragma once

#include "sandbox/sandbox.h"
#include "sandbox/trouble.h"

/* In the zygote: whom the policy means, noted in both. 0; or negative and `trouble`. */
int identity_settle(struct sandbox *sandbox, struct policy *policy,
		    struct sandbox_trouble *trouble);

/* In a worker. 0 or -errno. */
int identity_enter(const struct sandbox *sandbox);
