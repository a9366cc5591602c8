/* SPDX-License-Identifier: MIT
 *
 * warmfork run: runs one program in a sandbox as if it had been started without one, with our
 * streams, signals, terminal and exit status.
 *
 * Everything happens in one thread: the loop that takes the signals also drives the executor, so
 * nothing can happen between the two.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <warmfork/executor.h>

#include "cli/command.h"
#include "cli/report.h"
#include "cli/run/file.h"
#include "cli/run/options.h"
#include "cli/run/policy.h"
#include "cli/run/report.h"
#include "cli/run/terminal.h"

struct run {
	struct run_options options;
	struct run_request request;
	struct run_terminal terminal;
	struct wf_executor *executor;
	struct wf_future *future;
	int signals;
	struct run_file report, learned;
	int ended_by;           /* the signal that ended the program, or 0 */
	struct wf_outcome none; /* if no future has one */
};

/* --- before -------------------------------------------------------------------------------- */

/* Descriptors that are opened from here on must not become the program's standard streams. */
static bool fill_streams(void) {
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR | O_CLOEXEC) < 0)
			return false;
	return true;
}

/* Reports a write error here, and clears it, so that later checks of the stream find none. */
static bool has_got_through(FILE *to, const char *name) {
	bool good = fflush(to) == 0 && !ferror(to);

	if (!good)
		run_say("%s cannot be written: %s", name, strerrordesc_np(errno));
	clearerr(to);
	return good;
}

static enum run_status print_policy(const struct run_request *request) {
	char *text;

	if (wf_policy_print(request->policy, &text) < 0) {
		run_say("%s", wf_last_error());
		return RUN_USAGE;
	}
	(void)fputs(text, stdout);
	free(text);
	return has_got_through(stdout, "standard output") ? RUN_OK : RUN_LOST;
}

/* --- running ------------------------------------------------------------------------------- */

static const char *name_of(const struct run *run) {
	const char *slash = strrchr(run->options.program[0], '/');

	return slash && slash[1] ? slash + 1 : run->options.program[0];
}

/* Exported for the two alone (executor/one_shot.h, zygote/helper.h). */
int wf_private_helper_main(int argc, char **argv);
void wf_private_one_shot(int (*helper)(int argc, char **argv));

static int open_executor(struct run *run) {
	wf_private_one_shot(wf_private_helper_main);
	return wf_executor_open(
	    &WF_EXECUTOR_OPTIONS(.image = WF_IMAGE_COMMAND, .name = name_of(run), .workers = 1,
				 .max_tasks_per_worker = 1, .spares = WF_NO_SPARES,
				 .freeze = WF_FREEZE_NEVER, .tuning.start_attempts = 1,
				 .max_attempts = 1, .caller_driven = true,
				 .policy = run->request.policy,
				 .learn = run->options.learn != NULL),
	    &run->executor);
}

/* With a limit, the policy decides how much is kept. */
static struct wf_stdio stream_of(const struct run *run, int fd) {
	if (run->options.capture && fd > 0)
		return (struct wf_stdio){ .mode = WF_STDIO_CAPTURE,
					  .limit = WF_MAX_PAYLOAD,
					  .overflow = WF_OVERFLOW_KILL };
	return (struct wf_stdio){ .mode = WF_STDIO_DESCRIPTOR, .descriptor = fd };
}

static int submit(struct run *run) {
	const char *const *argv = (const char *const *)run->options.program;
	struct wf_context context =
	    WF_CONTEXT(.directory = run->request.directory[1] ? run->request.directory : NULL,
		       .standard_input = stream_of(run, 0), .standard_output = stream_of(run, 1),
		       .standard_error = stream_of(run, 2));

	run->future = wf_future_free(run->future);
	run->options.program[0] =
	    (char *)(uintptr_t)run_request_program(&run->request, &run->options);
	return wf_submit(run->executor, &WF_TASK(.argv = argv, .context = &context), &run->future);
}

static const struct wf_outcome *follow(struct run *run) {
	struct pollfd polls[] = {
		{ .fd = wf_executor_fd(run->executor), .events = POLLIN },
		{ .fd = run->signals, .events = POLLIN },
	};
	const struct wf_outcome *outcome;

	for (;;) {
		(void)wf_executor_dispatch(run->executor, 0);
		outcome = wf_future_outcome(run->future);
		if (outcome)
			return outcome;
		run_terminal_follow(&run->terminal, run->signals, run->future);
		(void)poll(polls, sizeof polls / sizeof polls[0], -1);
	}
}

/* The library speaks of an image there, which means nothing to our user. */
static const char *without_image(const char *sentence, const char *name) {
	const char word[] = "image ";
	size_t size = strlen(name);

	if (strncmp(sentence, word, strlen(word)) != 0 ||
	    strncmp(sentence + strlen(word), name, size) != 0 ||
	    strncmp(sentence + strlen(word) + size, ": ", 2) != 0)
		return sentence;
	return sentence + strlen(word) + size + 2;
}

/* A task that could not even be submitted has an outcome too, and is reported like any other. */
static const struct wf_outcome *fail(struct run *run, enum wf_phase phase, int r) {
	run->none = (struct wf_outcome){
		.size = sizeof run->none,
		.kind = WF_NOT_STARTED,
		.not_started = { phase, -r },
		.evidence = without_image(wf_last_error(), name_of(run)),
		.slot = -1,
		.standard_output = { .data = "" },
		.standard_error = { .data = "" },
		.stack = "",
		.layers = "",
		.learned = "",
	};
	return &run->none;
}

static bool is_without_directory(const struct wf_outcome *outcome) {
	return outcome->kind == WF_NOT_STARTED && outcome->not_started.phase == WF_PHASE_CONTEXT;
}

static const struct wf_outcome *run_program(struct run *run) {
	const struct wf_outcome *outcome;
	int r = open_executor(run);

	if (r < 0)
		return fail(run, r == -EIO || r == -EMFILE ? WF_PHASE_LAUNCH : WF_PHASE_PRELOAD, r);
	/* Not earlier: while nothing runs, a signal may simply end us. */
	run->signals = run_terminal_open(&run->terminal);
	if (run->signals < 0) {
		run_say("signals cannot be passed on: %s", strerrordesc_np(-run->signals));
		return fail(run, WF_PHASE_LAUNCH, run->signals);
	}
	r = submit(run);
	if (r < 0)
		return fail(run, WF_PHASE_CONTEXT, r);
	outcome = follow(run);
	if (!run->request.falls_back || !is_without_directory(outcome))
		return outcome;
	run_request_fall_back(&run->request);
	r = submit(run);
	return r < 0 ? fail(run, WF_PHASE_CONTEXT, r) : follow(run);
}

/* --- after --------------------------------------------------------------------------------- */

static bool show_capture(const struct wf_capture *capture, FILE *to, const char *name) {
	(void)fwrite(capture->data, 1, capture->size, to);
	return has_got_through(to, name);
}

/* Returns whether everything was written. */
static bool tell(struct run *run, const struct wf_outcome *outcome) {
	const struct run_options *options = &run->options;
	bool good = show_capture(&outcome->standard_output, stdout, "standard output");
	int r = 0;

	good = show_capture(&outcome->standard_error, stderr, "standard error") && good;
	run_report_say(outcome, options, &run->request);
	if (run->report.stream)
		r = run_report_json(outcome, options, run->report.stream);
	if (r == -ENOMEM)
		run_say("--report: there is no memory for the report");
	if (run->learned.stream)
		(void)fputs(outcome->learned, run->learned.stream);
	good = run_file_close(&run->report) && good && r != -ENOMEM;
	return run_file_close(&run->learned) && good;
}

static enum run_status start(struct run *run) {
	enum run_status status = run_request_make(&run->options, &run->request);

	if (status != RUN_OK)
		return status;
	if (!run_file_open(&run->report, "report", run->options.report) ||
	    !run_file_open(&run->learned, "learn", run->options.learn))
		return RUN_USAGE;
	return RUN_OK;
}

static int finish(struct run *run, const struct wf_outcome *outcome) {
	int status = run_report_status(outcome);

	run_terminal_close(&run->terminal, outcome->kind != WF_EXITED);
	if (!tell(run, outcome))
		status = RUN_LOST;
	else if (outcome->kind == WF_SIGNALLED)
		run->ended_by = outcome->signalled.signal;
	return status;
}

enum command_status run_command(int argc, char **argv) {
	struct run run = { .signals = -1 };
	enum run_status status = RUN_NOT_STARTED;
	int code;

	if (!fill_streams()) {
		run_say("standard streams are closed, and /dev/null cannot be opened instead: %s",
			strerrordesc_np(errno));
		return (enum command_status)status;
	}
	if (!run_options_parse(argc, argv, &run.options, &status))
		return (enum command_status)status;
	status = start(&run);
	code = (int)status;
	if (status == RUN_OK && run.options.print_policy)
		code = (int)print_policy(&run.request);
	else if (status == RUN_OK)
		code = finish(&run, run_program(&run));
	(void)wf_future_free(run.future);
	(void)wf_executor_free(run.executor);
	run_request_clear(&run.request);
	run_options_clear(&run.options);
	/* This is last, when nothing of the run is left. */
	if (run.ended_by)
		run_terminal_end_by(&run.terminal, run.ended_by);
	return (enum command_status)code;
}
