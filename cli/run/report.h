/* SPDX-License-Identifier: MIT
 *
 * What became of the program: as our exit status, in words, and as one JSON object.
 */
#pragma once

#include <stdio.h>
#include <warmfork/executor.h>

#include "cli/run/options.h"
#include "cli/run/policy.h"

/* For a program that was ended by a signal 128 and its number, as shells count: we end by it too. */
int run_report_status(const struct wf_outcome *outcome);

/* On standard error: what happened, unless the program simply ended; what was refused (--explain), or
 * that something was, if it may be why the program failed. */
void run_report_say(const struct wf_outcome *outcome, const struct run_options *options,
		    const struct run_request *request);

/* 0, -ENOMEM, or -EIO: `to` does not take it. */
int run_report_json(const struct wf_outcome *outcome, const struct run_options *options, FILE *to);
