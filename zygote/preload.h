/* SPDX-License-Identifier: MIT
 *
 * Load: takes a zygote from empty to ready to serve.
 */
#pragma once

#include "zygote/session.h"

/* Loads and audits the image. Returns true if session->answer is an ImageReady, not sent yet, which
 * borrows only what stays; false if an ImageFailed was sent. */
bool preload_run(struct session *session, const struct message_load *load);

/* Closes the zygote's own sandbox when all is set up, before the answer is sent. Returns false if
 * an ImageFailed was sent. */
bool preload_close(struct session *session);
