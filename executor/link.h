/* SPDX-License-Identifier: MIT
 *
 * The connection to the zygote of one generation: turns what it says into facts about the
 * generation and its workers.
 */
#pragma once

#include "executor/generation.h"
#include "executor/keeper_link.h"

/* Starts to listen to it. Returns 0 or -errno. */
int link_listen(struct generation *generation);
/* Does not block. Returns 0, a WIRE_E_ code or -errno. Unless it returns 0, the message has not
 * been sent; `blocked` then says whether the socket is full. `fds` are borrowed. */
int link_send(struct generation *generation, const struct message *message, const int *fds,
	      size_t n_fds);

/* Sends Spawn; `peers` are borrowed. What becomes of each worker is noted as a fact about it. */
void link_spawn(struct generation *generation, const struct message_spawn_worker *workers,
		const int *peers, size_t n);
/* The zygote forks no more, and ends after its last worker. */
void link_drain(struct generation *generation);

/* If the worker is busy, or about to end, its zygote must answer pings from now on: nothing else
 * would report that end. */
void link_watch(const struct worker *worker);
/* Stops pinging if nothing is expected from it. */
void link_settle(struct generation *generation);

/* Its end has been reported: reads what is left on its socket, and settles the fate of its
 * workers. */
void link_finish(struct generation *generation, struct keeper *keeper);
