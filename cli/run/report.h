/* SPDX-License-Identifier: MIT
 *
 * Reports what became of the program: as our exit status, in words, and as one JSON object.
 */
#pragma once

#include <stdio.h>
#include <warmfork/executor.h>

#include "cli/run/options.h"
#include "cli/run/policy.h"

/* For a program that was ended by a signal, 128 plus its number, as shells count; we end by
 * it too. */
int run_report_status(const struct wf_outcome *outcome);

/* Prints on standard error what happened, unless the program simply ended, and what was refused
 * (--explain), or that something was refused if that may be why the program failed. */
void run_report_say(const struct wf_outcome *outcome, const struct run_options *options,
		    const struct run_request *request);

/* Returns 0, -ENOMEM, or -EIO if writing to `to` failed. */
int run_report_json(const struct wf_outcome *outcome, const struct run_options *options, FILE *to);
