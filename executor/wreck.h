/* SPDX-License-Identifier: MIT
 *
 * A host that has closed our descriptors: closefrom(3), or a loop over all numbers.
 */
#pragma once

#include "executor/generation.h"
#include "executor/keeper_link.h"
#include "executor/pool.h"

/* Have they been closed? */
bool wreck_is_seen(const struct engine *engine);

/* Under the lock: every future resolves, as nothing more can be heard of its worker; workers,
 * generations and keeper are forgotten. No descriptor is closed, for its number may be the host's
 * by now. The keeper ends the pool, since its socket has been closed or is shut down here. */
void wreck(struct engine *engine, struct keeper *keeper, struct generations *generations,
	   struct pool *pool);
