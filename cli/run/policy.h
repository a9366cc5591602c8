/* SPDX-License-Identifier: MIT
 *
 * From the command line to what the library is asked for: the policy, the program's path, and the
 * directory that it runs in.
 */
#pragma once

#include <stdbool.h>
#include <warmfork/policy.h>

#include "cli/run/options.h"

struct run_request {
	struct wf_policy *policy;
	char *directory;
	bool falls_back; /* nobody asked for the directory: / will do */
	const char
	    *missed;   /* where we are, since its sandbox has nothing of it; NULL: it runs there */
	char *program; /* absolute; NULL: as it was written */
	char *working; /* where we are */
};

/* RUN_OK, or what the command ends with: all that there was to say has been said. run_request_clear()
 * is the caller's in any case. */
enum run_status run_request_make(const struct run_options *options, struct run_request *ret);
/* From its directory to /. */
void run_request_fall_back(struct run_request *request);
/* The program's words. Two of them may differ from the command line's: with / for a directory, a path
 * from here would lead nowhere. */
const char *run_request_program(const struct run_request *request,
				const struct run_options *options);
void run_request_clear(struct run_request *request);
