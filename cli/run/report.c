/* SPDX-License-Identifier: MIT
 *
 * Nothing is said about a program that simply ended, nor about SIGINT and SIGPIPE: a user who
 * presses Ctrl-C knows, and it is no news that the reader of a pipeline has had enough.
 */
#include "cli/run/report.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cli/run/remedy.h"

#define REMEDY_SIZE 4300 /* an option with a path */

/* --- the exit status ----------------------------------------------------------------------- */

static bool is_ours(int code) {
	return code >= RUN_USAGE && code <= RUN_AMBIGUOUS;
}

int run_report_status(const struct wf_outcome *outcome) {
	switch (outcome->kind) {
	case WF_EXITED:
		return is_ours(outcome->exited.code) ? RUN_AMBIGUOUS : outcome->exited.code;
	case WF_SIGNALLED:
		return 128 + outcome->signalled.signal;
	case WF_TIMED_OUT:
		return RUN_TIMED_OUT;
	case WF_MEMORY_LIMIT:
		return RUN_MEMORY_LIMIT;
	case WF_OUTPUT_LIMIT:
		return RUN_OUTPUT_LIMIT;
	case WF_VIOLATION:
		return RUN_VIOLATION;
	case WF_NOT_STARTED:
		/* keys of the policy that exclude each other */
		return outcome->not_started.phase == WF_PHASE_PRELOAD &&
			       outcome->not_started.error == EINVAL
			   ? RUN_USAGE
			   : RUN_NOT_STARTED;
	case WF_CANCELLED:
		return RUN_NOT_STARTED;
	case WF_RETURNED: /* only functions return, and there are none */
	case WF_FAILED:
	case WF_KILLED:
	case WF_ZYGOTE_LOST:
		return RUN_LOST;
	}
	return RUN_LOST;
}

/* --- the sentence -------------------------------------------------------------------------- */

static void say_signalled(const struct wf_outcome *outcome, const char *program) {
	int number = outcome->signalled.signal;
	const char *name = sigabbrev_np(number);

	if (number == SIGINT || number == SIGPIPE)
		return;
	run_say("%s was ended by SIG%s%s (%s)", program, name ? name : "?",
		outcome->signalled.core ? ", and dumped a core" : "", outcome->evidence);
}

static void say_timed_out(const struct wf_outcome *outcome, const char *program) {
	if (outcome->timed_out.clock == WF_CLOCK_CPU)
		run_say("%s was ended after %.1f s of CPU time (%s); --cpu gives it more", program,
			(double)outcome->timed_out.took_ns / 1e9, outcome->evidence);
	else
		run_say(
		    "%s was ended after %.1f s, when its time of %.1f s was over (limits.wall); "
		    "--timeout gives it more",
		    program, (double)outcome->timed_out.took_ns / 1e9,
		    (double)outcome->timed_out.limit_ns / 1e9);
}

static void say_not_started(const struct wf_outcome *outcome) {
	bool is_hidden = outcome->not_started.phase == WF_PHASE_EXEC;

	run_say("%s%s", outcome->evidence,
		is_hidden ? "; if it lies outside of /usr, --execute makes it and the files "
			    "that it needs visible"
			  : "");
}

static void say_violation(const struct wf_refusal *refusal, const char *program) {
	char option[REMEDY_SIZE];

	run_remedy_option(refusal->allow, option, sizeof option);
	if (!refusal->call[0])
		run_say("%s was ended for a call that its policy does not allow", program);
	else if (!refusal->allow[0])
		run_say("%s was ended for %s(%s), which no policy allows", program, refusal->call,
			refusal->arguments);
	else if (!option[0])
		run_say("%s was ended for %s(%s); to allow it, in a policy file: %s", program,
			refusal->call, refusal->arguments, refusal->allow);
	else
		run_say("%s was ended for %s(%s); to allow it: %s (in a policy file: %s)", program,
			refusal->call, refusal->arguments, option, refusal->allow);
}

static void say_kind(const struct wf_outcome *outcome, const char *program) {
	switch (outcome->kind) {
	case WF_EXITED:
		if (is_ours(outcome->exited.code))
			run_say("%s itself exited with %d, which is one of the statuses of this "
				"command; the status is 247 instead",
				program, outcome->exited.code);
		return;
	case WF_SIGNALLED:
		say_signalled(outcome, program);
		return;
	case WF_TIMED_OUT:
		say_timed_out(outcome, program);
		return;
	case WF_MEMORY_LIMIT:
		run_say("%s was ended for its use of memory (%s); --memory gives it more", program,
			outcome->evidence);
		return;
	case WF_OUTPUT_LIMIT:
		run_say(
		    "%s was ended for writing more than %llu bytes to its standard %s; --output "
		    "gives it more",
		    program, (unsigned long long)outcome->output_limit.limit,
		    outcome->output_limit.stream == 1 ? "output" : "error");
		return;
	case WF_VIOLATION:
		say_violation(&outcome->violation.refusal, program);
		return;
	case WF_NOT_STARTED:
		say_not_started(outcome);
		return;
	case WF_RETURNED:
	case WF_FAILED:
	case WF_CANCELLED:
	case WF_KILLED:
	case WF_ZYGOTE_LOST:
		run_say("%s: %s: %s", program, wf_outcome_kind_name(outcome->kind),
			outcome->evidence);
		return;
	}
}

/* --- refusals ------------------------------------------------------------------------------ */

static void say_refusal(const struct wf_refusal *refusal) {
	const char *error = refusal->error ? strerrorname_np(refusal->error) : NULL;
	char option[REMEDY_SIZE], times[32] = "";

	run_remedy_option(refusal->allow, option, sizeof option);
	if (refusal->count > 1)
		(void)snprintf(times, sizeof times, ", %u times", refusal->count);
	run_say("refused: %s(%s)%s%s%s%s%s%s%s%s", refusal->call, refusal->arguments,
		error ? ": " : "", error ? error : "", times,
		refusal->allow[0] ? "; to allow it: " : "; no policy allows it", option,
		option[0] ? " (in a policy file: " : "", refusal->allow, option[0] ? ")" : "");
}

/* The refusal that ended the program has had its own sentence. */
static bool was_survived(const struct wf_refusal *refusal) {
	return refusal->error != 0;
}

static size_t count_survived(const struct wf_outcome *outcome) {
	size_t n = 0;

	for (size_t i = 0; i < outcome->n_refusals; i++)
		n += was_survived(&outcome->refusals[i]);
	return n;
}

static void say_refusals(const struct wf_outcome *outcome) {
	for (size_t i = 0; i < outcome->n_refusals; i++)
		if (was_survived(&outcome->refusals[i]))
			say_refusal(&outcome->refusals[i]);
	if (outcome->n_refusals_dropped > 0)
		run_say("refused: %llu more", (unsigned long long)outcome->n_refusals_dropped);
	if (outcome->n_refusals == 0)
		run_say("no refusal was noted (calls that only ask about a file, such as stat "
			"and access, never are)");
}

/* --- where it ran -------------------------------------------------------------------------- */

/* Finds a word of the program that names something here. */
static const char *find_missed(char *const *words) {
	for (words++; *words; words++)
		if ((*words)[0] != '/' && access(*words, F_OK) == 0)
			return *words;
	return NULL;
}

static void say_missed(const struct run_options *options, const struct run_request *request) {
	const char *word = request->missed ? find_missed(options->program) : NULL;

	if (word)
		run_say("%s ran in /, because its sandbox has nothing of %s, where %s is; "
			"--read . lets it read that directory",
			options->program[0], request->missed, word);
}

static bool has_failed(const struct wf_outcome *outcome) {
	return outcome->kind != WF_EXITED || outcome->exited.code != 0;
}

/* A user that runs this as root may not expect another identity. Policy files may set one, so
 * nothing is guessed about them. */
static bool has_other_identity(const struct wf_outcome *outcome,
			       const struct run_options *options) {
	if (geteuid() != 0 || options->n_policies > 0 || options->learn || !has_failed(outcome) ||
	    (outcome->kind == WF_NOT_STARTED && outcome->not_started.phase != WF_PHASE_EXEC))
		return false;
	for (size_t i = 0; i < options->n_rules; i++)
		if (strcmp(options->rules[i].key, "identity") == 0 ||
		    strcmp(options->rules[i].key, "layers") == 0)
			return false;
	return true;
}

static bool wants_network(const struct wf_outcome *outcome) {
	for (size_t i = 0; i < outcome->n_refusals; i++)
		if (strncmp(outcome->refusals[i].allow, "socket: [inet", strlen("socket: [inet")) ==
		    0)
			return true;
	return false;
}

static void say_incomplete(const struct wf_outcome *outcome) {
	if (outcome->standard_output.incomplete || outcome->standard_error.incomplete)
		run_say(
		    "the standard %s is not complete: a process held the pipe for 5 seconds, so "
		    "that it could not be read to its end",
		    outcome->standard_output.incomplete ? "output" : "error");
}

void run_report_say(const struct wf_outcome *outcome, const struct run_options *options,
		    const struct run_request *request) {
	size_t n = count_survived(outcome);

	say_kind(outcome, options->program[0]);
	say_incomplete(outcome);
	if (options->explain && outcome->kind != WF_VIOLATION && outcome->kind != WF_NOT_STARTED)
		say_refusals(outcome);
	if (options->explain && has_other_identity(outcome, options))
		run_say("%s ran as 65534:65534 and not as root, so files must be accessible to "
			"that user; --identity 0:0 runs it as root without capabilities",
			options->program[0]);
	if (options->explain && wants_network(outcome))
		run_say("the network of its sandbox is only a loopback; --tcp-connect PORT with "
			"--namespaces user,mount,pid,ipc,uts lets it reach a port through the "
			"host's network");
	if (!has_failed(outcome) || outcome->kind == WF_NOT_STARTED)
		return;
	if (n > 0 && !options->explain)
		run_say("%zu %s refused; --explain lists %s", n, n == 1 ? "call was" : "calls were",
			n == 1 ? "it" : "them");
	if (outcome->kind == WF_EXITED)
		say_missed(options, request);
}
