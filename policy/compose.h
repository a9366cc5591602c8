/* SPDX-License-Identifier: MIT
 *
 * A preset under what was given.
 */
#pragma once

#include "policy/document.h"

/* Puts it in place of a smaller one; 0, -E2BIG, -ENOMEM; not reported. */
int compose_preset(struct wf_policy *policy, enum policy_preset preset);
