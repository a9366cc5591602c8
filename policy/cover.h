/* SPDX-License-Identifier: MIT
 *
 * What a policy allows of a path, which is absolute and has no ".." and no symbolic links.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/policy.h"

/* All of enum policy_access. */
uint32_t cover_path(const struct policy *policy, const char *path);
bool cover_allows(const struct policy *policy, const char *path, uint32_t access);
