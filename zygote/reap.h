/* SPDX-License-Identifier: MIT
 *
 * The zygote's children: who has ended, stopped, gone on, and what they left.
 */
#pragma once

#include "zygote/session.h"

/* Takes the signals that have come. */
void reap_signals(struct session *session);
/* Handles all that has happened, as far as the socket has room; to be called again after SIGCHLD,
 * and when there is room. */
void reap_children(struct session *session);
/* No worker is left, nor anything of one, nor a report. */
bool reap_is_done(const struct session *session);
/* Milliseconds until it has to be called although nothing happens; -1: never. */
int reap_timeout(const struct session *session);
