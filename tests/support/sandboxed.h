/* SPDX-License-Identifier: MIT
 *
 * Pools under a policy, in the words of the stories of the sandbox. Every function that can fail
 * asserts.
 */
#pragma once

#include <stdbool.h>
#include <warmfork/executor.h>
#include <warmfork/policy.h>

#include "tests/support/pool.h"

/* A policy of a preset and more keys and values: "read", path, "limits.memory", "64M", ...,
 * NULL. */
struct wf_policy *policy_of(const char *preset, ...) __attribute__((sentinel));
void policy_add(struct wf_policy *policy, const char *key, const char *value);

/* Adds a line of a policy file, such as an outcome suggests. */
void policy_add_line(struct wf_policy *policy, const char *preset, const char *line);

/* pool_options() of the sandboxed toy (toy_sandbox.h), with one worker. */
struct wf_executor_options sandboxed_options(int regime, const struct wf_policy *policy);

/* Opens a pool, and frees the policy, of which the executor has a copy. */
struct wf_executor *sandboxed_open(int regime, struct wf_policy *policy);

/* Runs steps, expects the task to return, and copies what they said. */
void sandboxed_ask(struct wf_executor *executor, const char *steps, char *answer, size_t size);
#define expect_steps(executor, steps, expected)                                                    \
	do {                                                                                       \
		char said_[8192];                                                                  \
                                                                                                   \
		sandboxed_ask(executor, steps, said_, sizeof said_);                               \
		ck_assert_msg(strcmp(said_, expected) == 0, "%s: expected \"%s\", got \"%s\"",     \
			      steps, expected, said_);                                             \
	} while (0)

/* The first refusal of this call whose path is `path` (NULL: any), or NULL. */
const struct wf_refusal *refusal_of(const struct wf_outcome *outcome, const char *call,
				    const char *path);
/* All refusals, for messages. A static buffer. */
const char *refusals_describe(const struct wf_outcome *outcome);

/* `name` below fixture_scratch(), which everybody may enter. A static buffer, one of 8 in turn. */
const char *scratch_path(const char *name);
/* Makes the file anew; everybody may read and write it. */
void scratch_write(const char *name, const char *text);
void scratch_make_directory(const char *name);
void scratch_expect(const char *name, const char *text);
/* Copies a program there; everybody may execute it. */
void scratch_install(const char *name, const char *program);

/* The main() of a story that needs all layers; `add` adds its tests. With WF_TEST_USER=UID in the
 * environment, root becomes that user, and executes itself again, so that a process of root has
 * left nothing. What cannot be told here is a skip that says why. Returns the exit status. */
int sandboxed_main(char **argv, const char *name, void (*add)(TCase *story));
/* The first part of it, for the story of missing layers: a status for main() to return, or -1. */
int sandboxed_begin_without(char **argv);
/* fixture_case() with a scratch directory that is not below /tmp: a worker with scratch space of
 * its own sees it. */
TCase *sandboxed_case(const char *name);
