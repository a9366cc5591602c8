/* SPDX-License-Identifier: MIT
 *
 * The command line of `warmfork run`. What it says about the policy is kept as written, because all
 * of it is added after the policy files, wherever it is on the line.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "cli/report.h"

/* The exit statuses of `warmfork run` itself. A program that ends with one of them is reported as
 * RUN_AMBIGUOUS, so that each of them is always ours. */
enum run_status {
	RUN_OK = 0,
	RUN_USAGE = 240, /* the command line or the policy is wrong; nothing was started */
	RUN_NOT_STARTED = 241,
	RUN_VIOLATION = 242,
	RUN_TIMED_OUT = 243,
	RUN_MEMORY_LIMIT = 244,
	RUN_OUTPUT_LIMIT = 245,
	RUN_LOST = 246, /* the end of the program is unknown, or could not be reported */
	RUN_AMBIGUOUS = 247,
};

/* A key of wf_policy_add() and a value for it, borrowed from the command line. */
struct run_rule {
	const char *option, *key, *value;
};

struct run_options {
	const char *preset;    /* NULL if not given */
	const char **policies; /* files */
	size_t n_policies;
	struct run_rule *rules;
	size_t n_rules;
	const char *directory; /* NULL if not given */
	const char *report;    /* a file; "" for standard error; NULL if not given */
	const char *learn;     /* likewise */
	bool print_policy, explain;
	bool capture;   /* the output is captured, because it is limited */
	char **program; /* and its arguments; NULL: only with print_policy */
};

/* Returns false if the command is over, with *ret_status; any error has been reported then.
 * Otherwise the caller must call run_options_clear(). */
bool run_options_parse(int argc, char **argv, struct run_options *ret, enum run_status *ret_status);
void run_options_clear(struct run_options *options);

/* The option (without --) that adds to a key of the policy, or NULL. */
const char *run_options_name(const char *key);

/* One sentence on standard error, with everything that could control a terminal made visible. */
#define run_say(...) report_say("run", __VA_ARGS__)
