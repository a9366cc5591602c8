/* SPDX-License-Identifier: MIT
 *
 * Where the paths of a policy lead. Each is opened once, and what is mounted, and what Landlock
 * allows, is the file that was opened then, whatever its name leads to later.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fd.h"
#include "proto/policy.h"
#include "sandbox/trouble.h"

struct place {
	char *path;      /* where it is outside, without symbolic links */
	int fd;          /* O_PATH */
	uint32_t access; /* enum policy_access, or-ed over all paths that lead here */
	size_t number;   /* of the first of these paths in the policy */
	bool directory, optional;
};

/* A symbolic link that was followed. */
struct place_link {
	char *path, *target;
};

#define PLACES_MAX ((size_t)2 * LIMIT_POLICY_PATHS)
struct places {
	struct place list[PLACES_MAX];
	size_t n;
	struct place_link links[PLACES_MAX];
	size_t n_links;
	bool viewed; /* the process has changed its root to a view of them */
};

struct place_request {
	const struct policy *policy;
	bool scratch;        /* no link may lead to /tmp or be below it */
	bool private_memory; /* /dev/zero, a mapping of which can be shared, becomes /dev/full */
};

/* Opens what the policy names, in memory that lives as long as the process. "/" is followed by its
 * entries, with the same access. Returns 0; or a negative value and `trouble`. */
int places_open(const struct place_request *request, struct places **ret,
		struct sandbox_trouble *trouble);

bool place_is_below_tmp(const struct place *place);
