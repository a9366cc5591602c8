/* SPDX-License-Identifier: MIT
 *
 * Memory and processes of a worker as a whole.
 */
#pragma once

#include "sandbox/sandbox.h"
#include "sandbox/trouble.h"

/* How they are counted for this policy. 0; or negative and `trouble`. */
int counted_settle(struct sandbox *sandbox, const struct policy *policy,
		   struct sandbox_trouble *trouble);
