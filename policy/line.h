/* SPDX-License-Identifier: MIT
 *
 * Which line of a policy would allow a refused call.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/calls.h"
#include "proto/policy.h"

/* The longest line that line_for_...() makes for a path, with its NUL. A line that does not fit
 * into `size` is omitted as a whole. */
#define LINE_SIZE ((size_t)4 * 4096 + 32)

/* Prints the line that would allow the access, as it would be in a file: "read: [/etc/shadow]". "":
 * no line would, or it is already allowed. */
void line_for_path(const struct policy *policy, const char *path, uint32_t access, char *text,
		   size_t size);
/* "calls: [threads]"; "socket: [inet]". */
void line_for_call(const struct policy *policy, const struct call *call,
		   const uint64_t arguments[CALL_ARGUMENTS], char *text, size_t size);
