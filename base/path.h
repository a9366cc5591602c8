/* SPDX-License-Identifier: MIT
 *
 * Absolute paths as text. In base/ because policies, the executor that judges by them and the view
 * that is built from them have to agree on what a path is.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* In place: without ".", ".." and empty components. ".." takes away the component before it, whatever
 * that is: so none that is a symbolic link may come before one. */
void path_simplify(char *path);

/* `path` below `directory`, or below the working directory (NULL); itself if it is absolute. The caller
 * frees it. NULL: no memory, or no working directory. */
char *path_absolute(const char *directory, const char *path);

/* Strictly, and both simple. Nothing is below "/": those who mean it look for it first. */
bool path_is_below(const char *path, const char *directory);

/* The directory that holds it; that of "/" is "/". Cut to `size`. */
void path_parent(const char *path, char *ret, size_t size);
