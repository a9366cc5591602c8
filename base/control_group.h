/* SPDX-License-Identifier: MIT
 *
 * Control groups, as /proc tells them. In base/ because the sandbox makes groups below our own, and the
 * executor reads the counters of it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Our own group in the hierarchy of a controller of version 1, or in the tree of version 2 (""): "/a/b",
 * "" for the root. False: we are in none, or it does not fit. */
bool control_group_own(const char *controller, char *ret, size_t size);

/* Removes the group at `path` and those in it whose names are numbers, as far as nobody is in them. */
void control_group_remove(const char *path);
