/* SPDX-License-Identifier: MIT
 *
 * Resource limits.
 */
#pragma once

#include "sandbox/sandbox.h"

/* Those that the zygote can live with and workers inherit: what is exhausted per user, not per
 * process, and core dumps. 0 or -errno. */
int limits_inherited(void);

/* In a worker: those of its policy. 0 or -errno. */
int limits_own(const struct sandbox *sandbox);
