/* SPDX-License-Identifier: MIT
 *
 * Turns a path as written into one that a sandbox can be built from.
 */
#pragma once

#include "policy/value.h"

/* Makes it absolute, without ".", ".." and empty components. The caller frees *ret. Returns 0 or a
 * public error, reported. */
int resolve_path(const struct value *value, char **ret);
