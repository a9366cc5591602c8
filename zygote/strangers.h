/* SPDX-License-Identifier: MIT
 *
 * Finds and ends what dead workers of the zygote left.
 */
#pragma once

#include "zygote/session.h"

/* Kills and reaps strangers. Returns true if none is left that is about to end. */
bool strangers_sweep(struct session *session);
/* False if the last look was too recent: with many children it takes long. */
bool strangers_can_be_looked_for(const struct session *session);
/* True if that holds and there may be strangers. */
bool strangers_are_due(const struct session *session);
/* Milliseconds until a look is due without any event; -1 for never. */
int strangers_timeout(const struct session *session);

/* Reaps a child that has ended and is no worker, or a thread of one. */
void strangers_reap(struct session *session, pid_t pid);
