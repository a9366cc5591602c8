/* SPDX-License-Identifier: MIT
 *
 * Decides whether the zygote's image is frozen, reports it, and keeps it frozen.
 */
#pragma once

#include "zygote/session.h"

/* The last step of loading. Fills what `ret` reports about freezing, which borrows from
 * session->freeze. Returns 0; -EBUSY if freezing was required but is impossible, with the reason in
 * ret->freeze_note; or -ENOTRECOVERABLE if memory was lost. */
int frozen_begin(struct session *session, enum freeze_wish wish, struct message_image_ready *ret);

/* Starts what can be done once the executor knows that the image is ready. */
void frozen_serve(struct session *session);

/* Called after `n` forks, when they have been answered. Now and then this looks whether the zygote
 * has written to the image, repairs it, and leaves what is to be reported in session->frozen. */
void frozen_forked(struct session *session, unsigned n);
void frozen_look(struct session *session, struct message_frozen *ret);
