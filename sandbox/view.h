/* SPDX-License-Identifier: MIT
 *
 * What a worker sees of the file system: only what its policy names.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/policy.h"
#include "sandbox/place.h"
#include "sandbox/trouble.h"

/* Where a worker's own scratch is mounted; /tmp is a symbolic link to it. It has a parent directory
 * of its own, because a Landlock rule for a mount point does not apply to what is mounted there,
 * but one for its parent does. */
#define VIEW_SCRATCH_PARENT "/.warmfork"
#define VIEW_SCRATCH        "/.warmfork/tmp"
/* Holds what the policy names below /tmp, by its number among the paths. Each worker with a scratch
 * of its own mounts it from here. */
#define VIEW_BELOW_TMP "/.warmfork-below"
/* A FIFO that the view contains and no Landlock rule names. */
#define VIEW_PROBE "/.warmfork-probe"

/* Where the pid namespace's own /proc is mounted. */
#define VIEW_PROC "/proc"

/* Gives the calling process, which is in the user namespace already, a mount namespace of its own.
 * Returns a descriptor of it; or a negative value and `trouble`. */
int view_begin(struct sandbox_trouble *trouble);
struct view_request {
	bool own_proc; /* there is a pid namespace */
	bool scratch;
	bool root; /* workers run as uid 0, which may read what the kernel shows root alone */
};
/* Then builds the view in it, and makes it the root of the calling process. The places must have
 * been opened in this namespace. What is mounted is put in their descriptors. Returns 0; or a
 * negative value and `trouble`. */
int view_build(struct places *places, const struct view_request *request,
	       struct sandbox_trouble *trouble);

/* Called in a worker: enters the view. Returns 0 or -errno. */
int view_enter(int view);

/* A path of the policy below /tmp. */
struct view_below {
	unsigned number;
	bool directory;
	char path[512];
};
/* Lists those that exist, in memory that stays. NULL if there are too many, one is too long, or
 * there is no memory. */
struct view_below *view_list_below(const struct policy *policy, size_t *ret_n);

/* Called in a worker: mounts its own /tmp of at most `size` bytes. Returns 0 or -errno. */
int view_mount_scratch(uint64_t size, const struct view_below *below, size_t n_below);
