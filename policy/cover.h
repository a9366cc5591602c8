/* SPDX-License-Identifier: MIT
 *
 * What a policy allows for a path, which is absolute and has no ".." and no symbolic links.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/policy.h"

/* Returns the allowed enum policy_access bits. */
uint32_t cover_path(const struct policy *policy, const char *path);
bool cover_allows(const struct policy *policy, const char *path, uint32_t access);
