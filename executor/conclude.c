/* SPDX-License-Identifier: MIT
 *
 * What became of a task. Every verdict carries the sentence that says how we know, and nothing is
 * guessed: a SIGKILL is "killed for memory" only if a counter moved.
 */
#include "executor/conclude.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/line.h"

/* NULL: out of memory. */
static char *on_one_line(const char *text) {
	size_t size = text ? line_escape(NULL, 0, text) + 1 : 0;
	char *line = text ? malloc(size) : NULL;

	if (line)
		(void)line_escape(line, size, text);
	return line;
}

__attribute__((format(printf, 2, 3))) static void say(struct wf_future *future, const char *format,
						      ...) {
	char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	free(future->memory.evidence);
	future->memory.evidence = on_one_line(text);
	free(text);
	future->outcome.evidence =
	    future->memory.evidence ? future->memory.evidence : "no memory for the evidence";
}

/* --- results ------------------------------------------------------------------------------- */

/* Only sealed memfds are mapped: one whose size may still shrink would kill its reader with
 * SIGBUS. */
static int map_result(struct wf_future *future, const struct message_result *result, int memfd,
		      struct wf_bytes *ret) {
	struct outcome_memory *memory = &future->memory;
	struct stat st;
	int seals = fcntl(memfd, F_GET_SEALS);

	if (seals < 0 || !(seals & F_SEAL_SHRINK) || !(seals & F_SEAL_WRITE) ||
	    fstat(memfd, &st) < 0 || (uint64_t)st.st_size < result->payload_size)
		return CONCLUDE_E_UNTRUSTED;
	if (!result->payload_size)
		return 0;
	memory->mapping = mmap(NULL, result->payload_size, PROT_READ, MAP_PRIVATE, memfd, 0);
	if (memory->mapping == MAP_FAILED) {
		memory->mapping = NULL;
		return error_origin(-errno);
	}
	memory->mapping_size = result->payload_size;
	*ret = (struct wf_bytes){ memory->mapping, result->payload_size };
	return 0;
}

/* The bytes of a result, inline or in a memfd. */
static int take_bytes(struct wf_future *future, const struct message_result *result, int memfd,
		      struct wf_bytes *ret) {
	*ret = (struct wf_bytes){ "", 0 };
	if (result->payload_in_memfd)
		return map_result(future, result, memfd, ret);
	if (!result->payload.size)
		return 0;
	/* one more byte, so that text is a string too */
	future->memory.data = malloc(result->payload.size + 1);
	if (!future->memory.data)
		return error_origin(-ENOMEM);
	memcpy(future->memory.data, result->payload.data, result->payload.size);
	((char *)future->memory.data)[result->payload.size] = '\0';
	*ret = (struct wf_bytes){ future->memory.data, result->payload.size };
	return 0;
}

static int fill_returned(struct wf_future *future, const struct message_result *result, int memfd) {
	future->outcome.kind = WF_RETURNED;
	future->outcome.evidence = "the function returned 0";
	return take_bytes(future, result, memfd, &future->outcome.returned);
}

static int fill_failed(struct wf_future *future, const struct message_result *result, int memfd) {
	struct wf_outcome *outcome = &future->outcome;
	struct wf_bytes bytes;
	int r = take_bytes(future, result, memfd, &bytes);

	outcome->kind = WF_FAILED;
	outcome->failed.code = result->code;
	future->memory.message = strdup(result->text);
	outcome->failed.message = future->memory.message ? future->memory.message : "";
	outcome->failed.data = bytes.data;
	outcome->failed.size = bytes.size;
	outcome->evidence = "the function returned a failure";
	return r;
}

int conclude_result(struct wf_future *future, const struct message_result *result, int memfd) {
	struct wf_outcome *outcome = &future->outcome;

	outcome->cpu_ns = result->cpu_ns;
	outcome->peak_rss = result->peak_rss;
	outcome->usage_source = WF_SOURCE_WORKER;
	outcome->run_ns = result->run_ns;
	switch (result->kind) {
	case RESULT_RETURNED:
		return fill_returned(future, result, memfd);
	case RESULT_FAILED:
		return fill_failed(future, result, memfd);
	case RESULT_NOT_SET_UP:
		conclude_not_started(future, WF_PHASE_CONTEXT, result->code, result->text);
		return 0;
	case RESULT_NOT_EXECUTED:
		conclude_not_started(future, WF_PHASE_EXEC, result->code, result->text);
		return 0;
	case RESULT_SKIPPED:
		break;
	}
	return error_origin(-EPROTO);
}

/* --- ends ---------------------------------------------------------------------------------- */

static void fill_usage(struct wf_outcome *outcome, const struct exit_status *status) {
	if (!status)
		return;
	outcome->cpu_ns = status->cpu_ns;
	outcome->peak_rss = status->peak_rss;
	outcome->usage_source = WF_SOURCE_KERNEL;
}

static bool is_fault(int signal) {
	return signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE || signal == SIGILL ||
	       signal == SIGABRT || signal == SIGTRAP || signal == SIGSYS;
}

static void fill_signalled(struct wf_future *future, const struct conclude_end *end) {
	const struct exit_status *status = &end->status;
	struct wf_outcome *outcome = &future->outcome;

	outcome->kind = WF_SIGNALLED;
	outcome->signalled.signal = status->signal;
	outcome->signalled.core = status->core;
	outcome->signalled.address_known = end->address_known;
	outcome->signalled.address = end->address;
	outcome->signalled.code = end->code;
	if (end->address_known)
		say(future,
		    "wait status, and the worker's own handler: ended by SIG%s after a fault at "
		    "0x%llx%s",
		    sigabbrev_np(status->signal), (unsigned long long)end->address,
		    status->core ? "; a core was dumped" : "");
	else if (is_fault(status->signal))
		say(future,
		    "wait status: ended by SIG%s; the status does not tell whether it raised "
		    "that itself or another process sent it%s",
		    sigabbrev_np(status->signal), status->core ? "; a core was dumped" : "");
	else
		say(future, "wait status: ended by SIG%s, which this library did not send",
		    sigabbrev_np(status->signal));
}

static bool is_command(const struct wf_future *future) {
	return future->engine->options.public.image == WF_IMAGE_COMMAND;
}

/* RLIMIT_CPU sends SIGXCPU first, and SIGKILL to a process that ignores it. The limit counts ticks
 * and the usage is exact, so they differ: SIGXCPU, which has hardly any other source, counts from
 * half of the limit on. */
static bool is_cpu_limit(const struct wf_future *future, const struct exit_status *status) {
	uint64_t limit = options_limit(&future->engine->options, POLICY_CPU);

	if (limit == POLICY_NO_LIMIT || status->exited)
		return false;
	return (status->signal == SIGXCPU && status->cpu_ns >= limit / 2) ||
	       (status->signal == SIGKILL && status->cpu_ns >= limit);
}

static unsigned long long in_ms(uint64_t ns) {
	return (ns + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC;
}

void conclude_exit(struct wf_future *future, const struct conclude_end *end) {
	const struct exit_status *status = &end->status;
	struct wf_outcome *outcome = &future->outcome;

	fill_usage(outcome, status);
	if (status->exited) {
		outcome->kind = WF_EXITED;
		outcome->exited.code = status->code;
		say(future, "wait status: exited with code %d%s", status->code,
		    is_command(future) ? "" : " before the function returned");
	} else if (is_cpu_limit(future, status)) {
		outcome->kind = WF_TIMED_OUT;
		outcome->timed_out.clock = WF_CLOCK_CPU;
		outcome->timed_out.limit_ns = options_limit(&future->engine->options, POLICY_CPU);
		outcome->timed_out.took_ns = status->cpu_ns;
		say(future,
		    "limits.cpu of the policy, %llu ms, ran out: ended by SIG%s after %llu ms "
		    "of CPU time",
		    in_ms(outcome->timed_out.limit_ns), sigabbrev_np(status->signal),
		    in_ms(status->cpu_ns));
	} else if (end->oom) {
		uint64_t limit = options_limit(&future->engine->options, POLICY_MEMORY);

		outcome->kind = WF_MEMORY_LIMIT;
		outcome->memory_limit.limit = limit == POLICY_NO_LIMIT ? 0 : limit;
		say(future, "wait status: %s", end->oom);
	} else {
		fill_signalled(future, end);
	}
}

static const char *clock_name(const struct wf_future *future) {
	switch (future->verdict_clock) {
	case WF_CLOCK_RUN:
		return future->timeout_ms == options_wall_ms(&future->engine->options)
			   ? "limits.wall of the policy ran out, counted from its start"
			   : "timeout_ms ran out, counted from its start";
	case WF_CLOCK_DEADLINE:
		return "deadline_ms ran out while it ran, counted from submit";
	case WF_CLOCK_CPU:
		return "limits.cpu of the policy ran out";
	case WF_CLOCK_QUEUE:
		return "deadline_ms ran out before it started, counted from submit";
	}
	return "";
}

static void fill_timed_out(struct wf_future *future) {
	struct wf_outcome *outcome = &future->outcome;
	bool run = future->verdict_clock == WF_CLOCK_RUN;
	nsec_t from = run ? future->started : future->submitted;
	nsec_t now = engine_now(future->engine);
	uint64_t limit = run ? (uint64_t)future->timeout_ms * NSEC_PER_MSEC
			     : (uint64_t)(future->deadline - future->submitted);
	uint64_t took = from && now > from ? (uint64_t)(now - from) : 0;

	outcome->kind = WF_TIMED_OUT;
	outcome->timed_out.clock = future->verdict_clock;
	outcome->timed_out.limit_ns = limit;
	/* a more exact start may have become known since the timer was set */
	outcome->timed_out.took_ns = took < limit ? limit : took;
	say(future, "%s: the limit was %llu ms, and it took %llu ms", clock_name(future),
	    in_ms(limit), in_ms(outcome->timed_out.took_ns));
}

static const char *killer_name(const struct wf_future *future) {
	switch (future->verdict_killer) {
	case WF_BY_CALLER:
		return "wf_future_kill() was called";
	case WF_BY_CLOSE:
		return future->engine->undriven
			   ? "the executor, which its caller drove, was freed in a callback"
			   : "the executor was closed with WF_CLOSE_KILL";
	case WF_BY_PROTOCOL:
		return "its worker's channel was closed, flooded, garbled or left unanswered, "
		       "and the worker was ended";
	}
	return "";
}

static void fill_violation(struct wf_future *future) {
	static const struct wf_refusal unknown = { "", "", "", "", 0, 1 };
	struct wf_outcome *outcome = &future->outcome;

	outcome->kind = WF_VIOLATION;
	outcome->violation.refusal =
	    future->refusals.has_ending ? future->refusals.ending : unknown;
	say(future, "the filter of its sandbox reported %s(%s)%s%s%s",
	    outcome->violation.refusal.call, outcome->violation.refusal.arguments,
	    outcome->violation.refusal.allow[0] ? "; to allow it: `" : "",
	    outcome->violation.refusal.allow, outcome->violation.refusal.allow[0] ? "`" : "");
}

void conclude_verdict(struct wf_future *future, const struct exit_status *status) {
	struct wf_outcome *outcome = &future->outcome;

	fill_usage(outcome, status);
	switch (future->verdict) {
	case VERDICT_TIMED_OUT:
		fill_timed_out(future);
		return;
	case VERDICT_OUTPUT_LIMIT:
		outcome->kind = WF_OUTPUT_LIMIT;
		outcome->output_limit.stream = future->verdict_stream;
		outcome->output_limit.limit = future->captures[future->verdict_stream - 1].limit;
		outcome->evidence = "it wrote more to a captured stream than the limit of that "
				    "stream";
		return;
	case VERDICT_VIOLATION:
		fill_violation(future);
		return;
	case VERDICT_KILLED:
	case VERDICT_NONE:
		outcome->kind = WF_KILLED;
		outcome->killed.by = future->verdict_killer;
		outcome->evidence = killer_name(future);
		return;
	}
}

/* Its outcome is filled in: the last bytes that it wrote may have been too many. */
static void conclude_output(struct wf_future *future) {
	bool has_result = future->outcome.kind == WF_RETURNED || future->outcome.kind == WF_FAILED;

	if (future_judge_output(future, has_result))
		conclude_verdict(future, NULL);
}

void conclude_read(struct engine *engine) {
	while (!list_is_empty(&engine->read)) {
		struct wf_future *future = list_first(&engine->read, struct wf_future, link);

		list_remove(&future->link);
		conclude_output(future);
		future_resolve(future);
	}
}

void conclude_cancelled(struct wf_future *future, const char *why) {
	future->outcome.kind = WF_CANCELLED;
	future->outcome.evidence = why;
}

void conclude_zygote_lost(struct wf_future *future, const char *how) {
	future->outcome.kind = WF_ZYGOTE_LOST;
	future->outcome.evidence = how;
}

void conclude_not_started(struct wf_future *future, enum wf_phase phase, int error,
			  const char *text) {
	future->outcome.kind = WF_NOT_STARTED;
	future->outcome.not_started.phase = phase;
	future->outcome.not_started.error = error;
	say(future, "%s", text && *text ? text : "no reason was given");
}
