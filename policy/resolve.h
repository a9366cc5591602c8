/* SPDX-License-Identifier: MIT
 *
 * A path as it was written -> one that a sandbox can be built from.
 */
#pragma once

#include <stddef.h>

#include "policy/value.h"

/* Absolute, without ".", ".." and empty components. 0 or a public error, reported. The caller frees
 * *ret. */
int resolve_path(const struct value *value, char **ret);

/* The directory of an absolute path. */
void policy_path_parent(const char *path, char *ret, size_t size);
