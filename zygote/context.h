/* SPDX-License-Identifier: MIT
 *
 * What a task finds around it, set up in its worker.
 */
#pragma once

#include <stddef.h>

#include "proto/arena.h"
#include "proto/message.h"

struct context_failure {
	int error;
	char text[LIMIT_TEXT];
};

/* `streams` has one descriptor for each STREAM_DESCRIPTOR, in order; they are closed in every case
 * and blanked. Strings of the environment stay borrowed from the context, and its vector is in
 * `arena`, until something else is set. `null_device` is what STREAM_NULL duplicates (borrowed), where
 * /dev/null may not be there to be opened; -1: it is opened. 0; or -errno and *ret_failure, with part of
 * it set up. */
int context_apply(const struct message_context *context, int *streams, int null_device,
		  struct arena *arena, struct context_failure *ret_failure);

/* How many of its streams come with a descriptor. */
size_t context_streams(const struct message_context *context);
