/* SPDX-License-Identifier: MIT
 *
 * Watches the zygote's children: which have ended, stopped or gone on, and what they left.
 */
#pragma once

#include "zygote/session.h"

/* Reads the signals that have arrived. */
void reap_signals(struct session *session);
/* Handles all that has happened, as far as the socket has room. Call it again after SIGCHLD, and
 * when there is room. */
void reap_children(struct session *session);
/* True if no worker, nothing that one left, and no report is left. */
bool reap_is_done(const struct session *session);
/* Milliseconds until reap_children() is due without any event; -1 for never. */
int reap_timeout(const struct session *session);
