/* SPDX-License-Identifier: MIT
 *
 * What a worker sees of the file system: nothing but what its policy names.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/policy.h"
#include "sandbox/trouble.h"

/* Where a worker's own scratch is mounted; /tmp is a symbolic link to it. Below a directory of its own, since a
 * Landlock rule for a mount point does not hold for what is mounted there, but one for its parent does. */
#define VIEW_SCRATCH_PARENT "/.warmfork"
#define VIEW_SCRATCH        "/.warmfork/tmp"
/* What the policy names below /tmp, by its number among the paths: from where each worker with a scratch of its own
 * mounts it into that. */
#define VIEW_BELOW_TMP "/.warmfork-below"
/* A FIFO that the view has and no rule of Landlock names. */
#define VIEW_PROBE "/.warmfork-probe"

/* Builds the view in the calling process, which is in the user namespace already, and makes it its root.
 * Returns a descriptor of the mount namespace, or a negative value and `trouble`. */
int view_build(const struct policy *policy, bool pid_namespace, struct sandbox_trouble *trouble);

/* In a worker: enters the view. 0 or -errno. */
int view_enter(int view);

/* Can a task under this policy have put there what is at `path`? Then it must not be followed. */
bool view_is_writable(const struct policy *policy, const char *path);
/* Where path number `number` is in the view, whose real path is `real`, into PATH_MAX bytes. */
void view_place(size_t number, bool scratch, const char *real, char *ret);

/* A path of the policy below /tmp. */
struct view_below {
	unsigned number;
	bool directory;
	char path[512];
};
/* Those of a policy that are there, in memory that stays. NULL: too many, one too long, or no memory. */
struct view_below *view_list_below(const struct policy *policy, size_t *ret_n);

/* In a worker: a /tmp of its own, of at most `size` bytes. 0 or -errno. */
int view_mount_scratch(uint64_t size, const struct view_below *below, size_t n_below);
