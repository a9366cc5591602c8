/* SPDX-License-Identifier: MIT
 *
 * The zygote's children: who has ended, stopped, gone on, and what they left.
 */
#pragma once

#include "zygote/zygote.h"

/* Takes the signals that have come. */
void reap_signals(struct zygote *zygote);
/* Handles all that has happened, as far as the socket has room; to be called again after SIGCHLD,
 * and when there is room. */
void reap_children(struct zygote *zygote);
/* No worker is left, nor anything of one, nor a report. */
bool reap_is_done(const struct zygote *zygote);
/* Milliseconds until it has to be called although nothing happens; -1: never. */
int reap_timeout(const struct zygote *zygote);
