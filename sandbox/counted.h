/* SPDX-License-Identifier: MIT
 *
 * Limits on the memory and processes of a whole worker.
 */
#pragma once

#include "sandbox/sandbox.h"
#include "sandbox/trouble.h"

/* Decides how they are counted for this policy. Returns 0; or a negative value and `trouble`. */
int counted_settle(struct sandbox *sandbox, const struct policy *policy,
		   struct sandbox_trouble *trouble);
