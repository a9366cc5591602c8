/* SPDX-License-Identifier: MIT
 *
 * The environment of workers, which is the policy's and nothing else.
 */
#pragma once

#include "proto/policy.h"

/* Replaces the zygote's environment with that of the policy, and wipes what the kernel copied onto
 * our stack when the program was executed: the stack is every worker's, and /proc/PID/environ shows
 * it. Called before the freeze. Returns 0 or -errno. */
int environment_replace(const struct policy *policy);
