/* SPDX-License-Identifier: MIT
 *
 * A new generation, until its zygote has been asked for: its cells, its socket, what it is to load.
 */
#pragma once

#include "executor/generation.h"
#include "executor/keeper_link.h"

/* Asks the keeper for a zygote that loads the image; it becomes generations->loading. 0 or -errno;
 * -EPIPE: the keeper has gone. */
int launch_zygote(struct generations *generations, struct keeper *keeper);

/* In how many pools this process runs, one inside the other (WARMFORK_DEPTH). */
unsigned launch_depth(void);
