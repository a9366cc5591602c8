/* SPDX-License-Identifier: MIT
 *
 * A new generation up to the request for its zygote: its cells, its socket, what it is to load.
 */
#pragma once

#include "executor/generation.h"
#include "executor/keeper_link.h"

/* Asks the keeper for a zygote that loads the image; the new generation becomes
 * generations->loading. Returns 0 or -errno; -EPIPE: the keeper is gone. */
int launch_zygote(struct generations *generations, struct keeper *keeper);

/* How many pools this process runs in, nested in each other (WARMFORK_DEPTH). */
unsigned launch_depth(void);
