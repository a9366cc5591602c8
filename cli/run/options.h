/* SPDX-License-Identifier: MIT
 *
 * The command line of `warmfork run`. What it says about the policy is kept as it was written, for all
 * of it is added after the policy files, wherever in the line they stand.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "cli/report.h"

/* What `warmfork run` itself ends with. A program that ends with one of these is answered for with
 * RUN_AMBIGUOUS, so that each of them is always ours. */
enum run_status {
	RUN_OK = 0,
	RUN_USAGE = 240, /* the command line or the policy makes no sense; nothing was started */
	RUN_NOT_STARTED = 241,
	RUN_VIOLATION = 242,
	RUN_TIMED_OUT = 243,
	RUN_MEMORY_LIMIT = 244,
	RUN_OUTPUT_LIMIT = 245,
	RUN_LOST = 246, /* what became of the program is not known, or could not be told */
	RUN_AMBIGUOUS = 247,
};

/* A key of wf_policy_add() and a value for it, borrowed from the command line. */
struct run_rule {
	const char *option, *key, *value;
};

struct run_options {
	const char *preset;    /* NULL: not given */
	const char **policies; /* files */
	size_t n_policies;
	struct run_rule *rules;
	size_t n_rules;
	const char *directory; /* NULL: not given */
	const char *report;    /* a file; "": standard error; NULL: none */
	const char *learn;     /* likewise */
	bool print_policy, explain;
	bool capture;   /* the output, since it is limited */
	char **program; /* and its arguments; NULL: none, which only print_policy does without */
};

/* False: the command is over, with *ret_status; all that there was to say has been said. Otherwise
 * run_options_clear() is the caller's. */
bool run_options_parse(int argc, char **argv, struct run_options *ret, enum run_status *ret_status);
void run_options_clear(struct run_options *options);

/* The option (without --) that adds to a key of the policy; NULL: none does. */
const char *run_options_name(const char *key);

/* One sentence on standard error, with what could steer a terminal made visible. */
#define run_say(...) report_say("run", __VA_ARGS__)
