/* SPDX-License-Identifier: MIT
 *
 * Answering Spawn: forks.
 */
#pragma once

#include "zygote/session.h"

/* One channel for each entry in the frame; takes all of them. */
void spawn_workers(struct session *session, const struct message_spawn *request,
		   struct wire_frame *frame);
/* Every entry fails in the same way. */
void spawn_refuse(struct session *session, const struct message_spawn *request, int error,
		  const char *step);
