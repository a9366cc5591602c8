/* SPDX-License-Identifier: MIT
 *
 * Absolute paths as text. In base/ because policies, the executor that judges by them and the view
 * that is built from them must agree on what a path is.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Removes ".", ".." and empty components in place. ".." removes the component before it, so no
 * symbolic link may come before a "..". */
void path_simplify(char *path);

/* `path` below `directory`, or below the working directory (NULL); a copy if it is absolute. The
 * caller frees it. NULL and errno: ENOMEM; ENOENT, if the working directory has been deleted. */
char *path_absolute(const char *directory, const char *path);

/* Is it strictly below? Both must be simplified. Nothing counts as below "/": callers check that
 * case first. */
bool path_is_below(const char *path, const char *directory);

/* The directory that contains `path`; for "/" it is "/". Truncated to `size`. */
void path_parent(const char *path, char *ret, size_t size);
