/* SPDX-License-Identifier: MIT
 *
 * Resource limits.
 */
#pragma once

#include "sandbox/sandbox.h"

/* Sets the limits that the zygote can live with and workers inherit: core dumps, and resources that
 * run out per user and not per process. Returns 0 or -errno. */
int limits_inherited(void);

/* Called in a worker: sets those of its policy. Returns 0 or -errno. */
int limits_own(const struct sandbox *sandbox);
