/* SPDX-License-Identifier: MIT
 *
 * Load: from an empty zygote to one that serves.
 */
#pragma once

#include "zygote/zygote.h"

/* Loads and audits the image and tells the executor: true and ImageReady, or false and
 * ImageFailed. */
bool preload_run(struct zygote *zygote, const struct message_load *load);
