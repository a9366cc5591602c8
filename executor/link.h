/* SPDX-License-Identifier: MIT
 *
 * The connection to the zygote of one generation, from StartZygote to the report of its end. What it
 * says, and what the keeper says of it, becomes facts of the generation and its workers.
 */
#pragma once

#include "executor/generation.h"
#include "executor/keeper_link.h"

/* What a keeper's events are about; the context of link_events. */
struct link_family {
	struct generations *generations;
	struct keeper *keeper;
};
extern const struct keeper_events link_events;

/* Asks the keeper for a zygote that loads the image; it becomes generations->loading. 0 or -errno;
 * -EPIPE: the keeper has gone. */
int link_start(struct generations *generations, struct keeper *keeper);

/* In how many pools this process runs, one inside the other (WARMFORK_DEPTH). */
unsigned link_depth(void);

/* Sends Spawn; the peers are borrowed. What becomes of each worker is a fact about it. */
void link_spawn(struct generation *generation, const struct message_spawn_worker *workers,
		const int *peers, size_t n);
/* It forks no more, and ends after its last worker. */
void link_drain(struct generation *generation);

/* If the worker is at work, or is about to end: its zygote, which alone would report that end, must
 * answer a ping from now on. */
void link_watch(const struct worker *worker);
/* Stops asking, if nothing is expected of it. */
void link_settle(struct generation *generation);

/* What is left on its socket, and its workers' fates: its end has been reported. */
void link_finish(struct generation *generation, struct keeper *keeper);
