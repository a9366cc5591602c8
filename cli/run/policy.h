/* SPDX-License-Identifier: MIT
 *
 * Turns the command line into a request to the library: the policy, the path of the program, and
 * the directory that it runs in.
 */
#pragma once

#include <stdbool.h>
#include <warmfork/policy.h>

#include "cli/run/options.h"

struct run_request {
	struct wf_policy *policy;
	char *directory;
	bool falls_back;    /* the directory was not asked for: / will do */
	const char *missed; /* our directory, if the sandbox lacks it; else NULL */
	char *program;      /* absolute; NULL to use it as written */
	char *working;      /* our directory */
};

/* Returns RUN_OK, or the status to end with; any error has been reported then. The caller must call
 * run_request_clear() in any case. */
enum run_status run_request_make(const struct run_options *options, struct run_request *ret);
/* Changes its directory to /. */
void run_request_fall_back(struct run_request *request);
/* The words of the program. Two of them may differ from the command line's: with / as its
 * directory, a path from here would lead nowhere. */
const char *run_request_program(const struct run_request *request,
				const struct run_options *options);
void run_request_clear(struct run_request *request);
