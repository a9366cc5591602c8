/* SPDX-License-Identifier: MIT
 *
 * A new generation up to the request for its zygote: its cells, its socket, what it is to load.
 */
#pragma once

#include "executor/generation.h"
#include "executor/keeper_link.h"

/* The program of this process (O_PATH), for images of kind self: as it was started, or, `anew`, as
 * it is on disk now. Without the lock, because its file system may not answer. Returns a descriptor
 * or -errno. */
int launch_open_program(bool anew);

/* Asks the keeper for a zygote that loads the image, and `program` (borrowed; -1 unless its kind is
 * self) with it; the new generation becomes generations->loading. Returns 0 or -errno; -EPIPE: the
 * keeper is gone. */
int launch_zygote(struct generations *generations, struct keeper *keeper, int program);

/* How many pools this process runs in, nested in each other (WARMFORK_DEPTH). */
unsigned launch_depth(void);
