/* SPDX-License-Identifier: MIT
 *
 * Rules add up: a path may be used for everything that any rule for it or for a directory above it
 * allows.
 */
#include "policy/cover.h"

#include <string.h>

#include "base/path.h"

/* "/a" covers "/a" and "/a/b", but not "/ab"; "/" covers everything. */
static bool covers(const char *outer, const char *path) {
	return strcmp(outer, "/") == 0 || strcmp(outer, path) == 0 || path_is_below(path, outer);
}

static uint32_t with_included(uint32_t access) {
	if (access & POLICY_DEVICE)
		access |= POLICY_WRITE;
	if (access & (POLICY_WRITE | POLICY_EXECUTE))
		access |= POLICY_READ;
	return access;
}

uint32_t cover_path(const struct policy *policy, const char *path) {
	uint32_t access = 0;

	for (size_t i = 0; i < policy->n_paths; i++)
		if (covers(policy->paths[i].path, path))
			access |= with_included(policy->paths[i].access);
	return access;
}

bool cover_allows(const struct policy *policy, const char *path, uint32_t access) {
	return (access & ~cover_path(policy, path)) == 0;
}
