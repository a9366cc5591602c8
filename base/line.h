/* SPDX-License-Identifier: MIT
 *
 * Text of somebody else's making on one line: log lines (of executor, keeper and zygote) and outcomes
 * quote what a task wrote, and a task that could begin a new line, turn the direction of the text or
 * hide a part of it could forge what they say.
 */
#pragma once

#include <stddef.h>

/* Writes `text` into `to`, cut to `size` bytes behind a whole character, always terminated (unless
 * `size` is 0). Escaped are control characters, line and paragraph separators, what Unicode calls
 * format characters (category Cf: direction, joiners, tags), and bytes that are not UTF-8. Returns
 * the length that it would have, without the terminator. Safe in a forked child. */
size_t line_escape(char *to, size_t size, const char *text);
