/* SPDX-License-Identifier: MIT
 *
 * Measures what an image costs.
 */
#pragma once

#include <stdbool.h>

#include "proto/message.h"

/* Fills the memory, mappings, descriptors and threads of this process. */
void facts_fill(struct message_image_ready *ret);

/* Tells whether this process has more than one thread. */
bool facts_threads_run(void);
