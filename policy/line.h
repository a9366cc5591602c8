/* SPDX-License-Identifier: MIT
 *
 * What the rest of the executor does with a policy: take its plain data to a zygote, compare it, and
 * tell people which line of it would allow what was refused.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <warmfork/policy.h>

#include "proto/calls.h"
#include "proto/policy.h"

/* The longest line that policy_line_...() makes for a path, with its NUL; what does not fit in
 * `size` is left out as a whole. */
#define POLICY_LINE_SIZE ((size_t)4 * 4096 + 32)

/* All that it comes to, the preset's included. Borrowed: until the policy changes or is freed. */
const struct policy *policy_view(const struct wf_policy *policy);

/* NULL: no memory. NULL of NULL. */
struct wf_policy *policy_copy(const struct wf_policy *policy);

/* Do they come to the same? Both may be NULL. */
bool policy_equal(const struct wf_policy *a, const struct wf_policy *b);

/* Keys that fit alone, but not together: what wf_policy_parse() ends with, and an executor begins
 * with, because the order of wf_policy_add() is free. 0 or -EINVAL, reported. */
int policy_check(const struct wf_policy *policy);

/* `path` is absolute and has no ".." and no symbolic links. `access` is of enum policy_access. */
bool policy_allows_path(const struct policy *policy, const char *path, uint32_t access);

/* The directory of an absolute path. */
void policy_path_parent(const char *path, char *ret, size_t size);

/* The line that would allow it, as it would stand in a file: "read: [/etc/shadow]". "": no line would,
 * or it is allowed already. */
void policy_line_for_path(const struct policy *policy, const char *path, uint32_t access,
			  char *text, size_t size);
/* "calls: [threads]"; "socket: [inet]". */
void policy_line_for_call(const struct policy *policy, const struct call *call,
			  const uint64_t arguments[CALL_ARGUMENTS], char *text, size_t size);
