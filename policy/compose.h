/* SPDX-License-Identifier: MIT
 *
 * Puts a preset under the given entries.
 */
#pragma once

#include "policy/document.h"

/* Replaces a smaller preset. Returns 0, -E2BIG or -ENOMEM; not reported. */
int compose_preset(struct wf_policy *policy, enum policy_preset preset);
