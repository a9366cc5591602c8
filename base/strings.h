/* SPDX-License-Identifier: MIT
 *
 * A vector of strings that ends with NULL, as execve(2) takes it, in one piece of memory: the
 * strings lie behind it.
 */
#pragma once

#include <stddef.h>

/* How many bytes that takes. */
size_t strings_size(const char *const *strings, size_t n);
/* Copies `n` strings into `memory`, which has that size. Returns the vector, at its beginning. */
char **strings_pack(void *memory, const char *const *strings, size_t n);
