/* SPDX-License-Identifier: MIT
 *
 * Control groups, as /proc describes them. In base/ because the sandbox creates groups below our
 * own, and the executor reads the counters of our own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Our own group in the hierarchy of a version 1 controller, or in the tree of version 2 (""):
 * "/a/b", "" for the root. Returns false if we are in none, or if it does not fit. */
bool control_group_own(const char *controller, char *ret, size_t size);

/* Removes the group at `path` and the groups in it whose names are numbers, unless processes are
 * still in them. */
void control_group_remove(const char *path);
