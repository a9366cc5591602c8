/* SPDX-License-Identifier: MIT
 *
 * What a worker sees of the file system: nothing but what its policy names.
 */
#pragma once

#include "zygote/sandbox.h"

/* Where a worker's own scratch is mounted; /tmp is a symbolic link to it. Below a directory of its own, since a
 * Landlock rule for a mount point does not hold for what is mounted there, but one for its parent does. */
#define VIEW_SCRATCH_PARENT "/.warmfork"
#define VIEW_SCRATCH        "/.warmfork/tmp"
/* A FIFO that the view has and no rule of Landlock names. */
#define VIEW_PROBE "/.warmfork-probe"

/* Builds the view in the calling process, which is in the user namespace already, and makes it its root.
 * Returns a descriptor of the mount namespace, or a negative value and `trouble`. */
int view_build(const struct policy *policy, bool pid_namespace, struct sandbox_trouble *trouble);

/* In a worker: enters the view. 0 or -errno. */
int view_enter(int view);

/* In a worker: a /tmp of its own, of at most `size` bytes. 0 or -errno. */
int view_mount_scratch(uint64_t size);
