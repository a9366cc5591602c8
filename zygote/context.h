/* SPDX-License-Identifier: MIT
 *
 * Sets up the context of a task in its worker.
 */
#pragma once

#include <stddef.h>

#include "proto/arena.h"
#include "proto/message.h"

struct context_failure {
	int error;
	char text[LIMIT_TEXT];
};

/* Applies `context`. `streams` has one descriptor for each STREAM_DESCRIPTOR, in order; they are
 * always closed and set to -1. The strings of the environment stay borrowed from the context and
 * its vector lies in `arena` until another environment is set. `null_device` is what STREAM_NULL
 * duplicates (borrowed), for views in which /dev/null may be missing; -1 if /dev/null is to be
 * opened. Returns 0, or -errno and *ret_failure, with part of the context set up. */
int context_apply(const struct message_context *context, int *streams, int null_device,
		  struct arena *arena, struct context_failure *ret_failure);

/* The number of its streams that come with a descriptor. */
size_t context_streams(const struct message_context *context);
