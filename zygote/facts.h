/* SPDX-License-Identifier: MIT
 *
 * What an image costs.
 */
#pragma once

#include "proto/message.h"

/* Fills the memory, mappings, descriptors and threads of this process. */
void facts_fill(struct message_image_ready *ret);
