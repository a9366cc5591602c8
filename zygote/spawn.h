/* SPDX-License-Identifier: MIT
 *
 * Answers Spawn by forking workers.
 */
#pragma once

#include "zygote/session.h"

/* The frame has one channel for each entry; all of them are taken. */
void spawn_workers(struct session *session, const struct message_spawn *request,
		   struct wire_frame *frame);
/* Every entry fails in the same way. */
void spawn_refuse(struct session *session, const struct message_spawn *request, int error,
		  const char *step);
