/* SPDX-License-Identifier: MIT
 *
 * Prints one line of a policy file.
 */
#pragma once

#include <stddef.h>

#include "policy/key.h"

/* Prints "KEY: [VALUE]" as YAML, without a newline. -EINVAL: YAML cannot express it, or it does not
 * fit. */
int print_line(enum policy_key key, const char *value, char *text, size_t size);
