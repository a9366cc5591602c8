/* SPDX-License-Identifier: MIT
 *
 * Prints the arguments of a system call in the usual notation: AT_FDCWD, "/etc/shadow",
 * O_RDONLY|O_CLOEXEC.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/calls.h"

/* Writes the arguments of `call`, without its name and parentheses, into the `size` bytes of
 * `text`: printable ASCII, always terminated, and truncated with "..." if there is no more room.
 * paths[i] is the string that argument i points to; NULL: it could not be read, or is not a string,
 * and the address is printed. */
void call_text(const struct call *call, const uint64_t arguments[CALL_ARGUMENTS],
	       const char *const paths[CALL_ARGUMENTS], char *text, size_t size);
