/* SPDX-License-Identifier: MIT
 *
 * The entries of a directory, for those who may not call malloc: a zygote whose image is frozen, and
 * a handler of pthread_atfork(). In base/ because processes and the audit of an image are counted by it.
 */
#pragma once

typedef void (*directory_visit)(void *context, int directory, const char *name);

/* Visits each entry of an open directory, "." and ".." among them, in the kernel's order. Uses the
 * stack and system calls. 0 or -errno. */
int directory_each(int directory, directory_visit visit, void *context);
