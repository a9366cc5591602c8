/* SPDX-License-Identifier: MIT
 *
 * Handles a host that has closed our descriptors, or one of them, or has put another over it:
 * closefrom(3), a loop over all numbers, dup2(2).
 */
#pragma once

#include "executor/generation.h"
#include "executor/keeper_link.h"
#include "executor/pool.h"

/* Has one of them been closed that nothing else would miss? The end of a worker's channel is
 * noticed by the worker, and its pidfd can be opened again (stop.c). So this takes some system
 * calls for each generation, and none for a worker. */
bool wreck_is_seen(const struct engine *engine, const struct keeper *keeper,
		   const struct generations *generations);

/* Under the lock: what becomes of a task that was not handed to a worker before that. */
void wreck_resolve(struct wf_future *future);

/* Under the lock: resolves every future, because nothing more can be heard from its worker, and
 * forgets workers, generations and keeper. From then on the executor closes no descriptor, because
 * the host may be using its number by now, except memory files, whose inode tells them apart. The
 * keeper ends the pool: its socket has been closed, or is shut down here. */
void wreck(struct engine *engine, struct keeper *keeper, struct generations *generations,
	   struct pool *pool);
