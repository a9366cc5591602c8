/* SPDX-License-Identifier: MIT
 *
 * The zygote and its frozen image: whether it is frozen, what is told of it, and that it stays so.
 */
#pragma once

#include "zygote/session.h"

/* The last step of loading. Fills what `ret` says of it, which borrows from session->freeze. 0;
 * -EBUSY: it was to be frozen in any case, and cannot be, for the reason in ret->freeze_note;
 * -ENOTRECOVERABLE: memory was lost. */
int frozen_begin(struct session *session, enum freeze_wish wish, struct message_image_ready *ret);

/* The executor knows that the image is ready: what can be done later is begun. */
void frozen_serve(struct session *session);

/* After `n` forks, and their answer: now and then, looks whether the zygote has written to the image, mends it, and
 * keeps what is to be told in session->frozen. */
void frozen_forked(struct session *session, unsigned n);
void frozen_look(struct session *session, struct message_frozen *ret);
