/* SPDX-License-Identifier: MIT
 *
 * Prints foreign text on one line. Log lines (of executor, keeper and zygote) and outcomes quote
 * what a task wrote. A task that could begin a new line, change the direction of the text or hide a
 * part of it could forge what they say.
 */
#pragma once

#include <stddef.h>

/* Writes `text` into `to`, truncated to `size` bytes after a whole character, always terminated
 * (unless `size` is 0). Escapes control characters, line and paragraph separators, what Unicode
 * calls format characters (category Cf: direction, joiners, tags), and bytes that are not UTF-8.
 * Returns the untruncated length, without the terminator. Safe in a forked child. */
size_t line_escape(char *to, size_t size, const char *text);
