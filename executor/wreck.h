/* SPDX-License-Identifier: MIT
 *
 * Handles a host that has closed our descriptors: closefrom(3), or a loop over all numbers.
 */
#pragma once

#include "executor/generation.h"
#include "executor/keeper_link.h"
#include "executor/pool.h"

/* Have they been closed? */
bool wreck_is_seen(const struct engine *engine);

/* Under the lock: resolves every future, because nothing more can be heard from its worker, and
 * forgets workers, generations and keeper. Closes no descriptor, because the host may be using its
 * number by now. The keeper ends the pool: its socket has been closed, or is shut down here. */
void wreck(struct engine *engine, struct keeper *keeper, struct generations *generations,
	   struct pool *pool);
