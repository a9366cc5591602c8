/* SPDX-License-Identifier: MIT
 *
 * The connection to the zygote of one generation: what it says becomes facts of the generation and of
 * its workers.
 */
#pragma once

#include "executor/generation.h"
#include "executor/keeper_link.h"

/* From now on it is heard. 0 or -errno. */
int link_listen(struct generation *generation);
/* Does not block. 0, a WIRE_E_ code or -errno: what it took no more of is not sent; `blocked` then says
 * that it is full. `fds` are borrowed. */
int link_send(struct generation *generation, const struct message *message, const int *fds,
	      size_t n_fds);

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
