/* SPDX-License-Identifier: MIT
 *
 * What an image costs.
 */
#pragma once

#include <stdbool.h>

#include "proto/message.h"

/* Fills the memory, mappings, descriptors and threads of this process. */
void facts_fill(struct message_image_ready *ret);

/* Does more than one thread run in this process? */
bool facts_threads_run(void);
