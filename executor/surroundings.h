/* SPDX-License-Identifier: MIT
 *
 * The environment that the helper, and so every zygote, is started with.
 */
#pragma once

#include "executor/options.h"

/* Makes the environment for a pool with a policy: *ret is freed with free(3). Without a policy *ret
 * is NULL: the environment is that of this process. Returns 0 or -errno. */
int surroundings_new(const struct options *options, char ***ret);
