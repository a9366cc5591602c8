/* SPDX-License-Identifier: MIT
 *
 * What dead workers of the zygote left, and its end.
 */
#pragma once

#include "zygote/session.h"

/* Kills and reaps. True if nothing is left that is about to end. */
bool strangers_sweep(struct session *session);
/* May that be done now, or was it done just before? With many children it takes long. */
bool strangers_can_be_looked_for(const struct session *session);
/* The same, and there may be some. */
bool strangers_are_due(const struct session *session);
/* Milliseconds until it is due although nothing happens; -1: never. */
int strangers_timeout(const struct session *session);

/* A child that has ended and is no worker; or a thread of one. */
void strangers_reap(struct session *session, pid_t pid);
