/* SPDX-License-Identifier: MIT
 *
 * A path as it was written -> one that a sandbox can be built from.
 */
#pragma once

#include "policy/value.h"

/* Absolute, without ".", ".." and empty components. 0 or a public error, reported. The caller frees
 * *ret. */
int resolve_path(const struct value *value, char **ret);
