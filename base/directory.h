/* SPDX-License-Identifier: MIT
 *
 * Lists a directory for callers that must not call malloc: a zygote whose image is frozen, and a
 * pthread_atfork() handler. In base/ because it is used to count processes and to audit an
 * image.
 */
#pragma once

typedef void (*directory_visit)(void *context, int directory, const char *name);

/* Visits each entry of an open directory, including "." and "..", in the kernel's order. Uses only
 * the stack and system calls. Returns 0 or -errno. */
int directory_each(int directory, directory_visit visit, void *context);
