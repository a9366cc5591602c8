/* SPDX-License-Identifier: MIT
 *
 * Load: from an empty zygote to one that serves.
 */
#pragma once

#include "zygote/session.h"

/* Loads and audits the image. True: session->answer is an ImageReady, not sent yet, which
 * borrows only what stays. False: the executor has been sent an ImageFailed. */
bool preload_run(struct session *session, const struct message_load *load);

/* When all is set up, before the answer is sent: closes the zygote's own sandbox. False: ImageFailed was sent. */
bool preload_close(struct session *session);
