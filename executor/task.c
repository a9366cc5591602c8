/* SPDX-License-Identifier: MIT
 *
 * Copies what a caller lent us for the duration of wf_submit(). Descriptors are duplicated, so that
 * the caller may close its own.
 */
#include "executor/task.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/report.h"
#include "executor/known.h"

#define TASK_CAPTURE_STANDARD ((size_t)65536)

static int copy_environment(struct task_context *context, const struct wf_context *given) {
	size_t n = 0, bytes = 0;

	if (!given->environment)
		return 0;
	for (; given->environment[n]; n++) {
		bytes += strlen(given->environment[n]) + 8;
		if (n == LIMIT_ENVIRONMENT_STRINGS || bytes > LIMIT_CONTEXT)
			return report_error(
			    -E2BIG,
			    "context.environment is too large; it may have at most %d strings "
			    "and %zu bytes",
			    LIMIT_ENVIRONMENT_STRINGS, LIMIT_CONTEXT);
		if (!strchr(given->environment[n], '=') || given->environment[n][0] == '=')
			return report_error(-EINVAL,
					    "context.environment has \"%s\", which must have "
					    "the form NAME=value",
					    given->environment[n]);
	}
	context->environment = calloc(n + 1, sizeof(char *));
	if (!context->environment)
		return report_internal(-ENOMEM, "copying the context");
	for (size_t i = 0; i < n; i++) {
		context->environment[i] = strdup(given->environment[i]);
		if (!context->environment[i])
			return report_internal(-ENOMEM, "copying the context");
		context->n_environment = i + 1;
	}
	return 0;
}

static int copy_stream(struct task_stream *stream, const struct wf_stdio *given, int number) {
	static const char *const names[] = { "standard_input", "standard_output",
					     "standard_error" };

	stream->mode = given->mode;
	stream->overflow = given->overflow;
	stream->limit = given->limit ? given->limit : TASK_CAPTURE_STANDARD;
	switch (given->mode) {
	case WF_STDIO_DEFAULT:
		stream->mode = number ? WF_STDIO_INHERIT : WF_STDIO_NULL;
		return 0;
	case WF_STDIO_INHERIT:
	case WF_STDIO_NULL:
		return 0;
	case WF_STDIO_CAPTURE:
		if (number == 0)
			return report_error(-EINVAL, "context.standard_input cannot be "
						     "captured; only outputs can");
		if (given->limit > WF_MAX_PAYLOAD || given->overflow > WF_OVERFLOW_KILL)
			return report_error(-EINVAL,
					    "context.%s.limit is larger than WF_MAX_PAYLOAD, or "
					    "its overflow is not in enum wf_on_overflow",
					    names[number]);
		return 0;
	case WF_STDIO_DESCRIPTOR:
		stream->descriptor = fd_duplicate(given->descriptor);
		if (stream->descriptor == -EBADF)
			return report_error(-EINVAL, "context.%s: descriptor %d is not open",
					    names[number], given->descriptor);
		return stream->descriptor < 0
			   ? report_internal(stream->descriptor, "duplicating a descriptor")
			   : 0;
	default:
		return report_error(-EINVAL,
				    "context.%s.mode is %d, which is not in enum wf_stdio_mode",
				    names[number], (int)given->mode);
	}
}

static int copy_streams(struct task_context *context, const struct wf_context *given) {
	const struct wf_stdio *streams[3] = { &given->standard_input, &given->standard_output,
					      &given->standard_error };
	int r = 0;

	for (int i = 0; i < 3 && r >= 0; i++) {
		const uint64_t reserved[] = { streams[i]->reserved_0, streams[i]->reserved[0],
					      streams[i]->reserved[1] };

		r = known_reserved(reserved, 3, "a stream of the context");
	}
	for (int i = 0; i < 3 && r >= 0; i++)
		r = copy_stream(&context->streams[i], streams[i], i);
	return r;
}

static int copy_descriptors(struct task_context *context, const struct wf_context *given) {
	if (given->n_descriptors > LIMIT_TASK_DESCRIPTORS)
		return report_error(-E2BIG, "context.n_descriptors is %zu; it may be at most %d",
				    given->n_descriptors, LIMIT_TASK_DESCRIPTORS);
	if (given->n_descriptors && !given->descriptors)
		return report_error(-EINVAL, "context.descriptors is NULL, but its count is not "
					     "0");
	for (size_t i = 0; i < given->n_descriptors; i++) {
		int fd = fd_duplicate(given->descriptors[i]);

		if (fd == -EBADF)
			return report_error(-EINVAL, "context.descriptors[%zu]: %d is not open", i,
					    given->descriptors[i]);
		if (fd < 0)
			return report_internal(fd, "duplicating a descriptor");
		context->descriptors[context->n_descriptors++] = fd;
	}
	return 0;
}

static int copy_limits(struct task_context *context, const struct wf_context *given) {
	if (given->n_rlimits > LIMIT_RLIMITS || given->n_cpus > LIMIT_CPUS)
		return report_error(-E2BIG,
				    "context has too many rlimits or cpus; it may have at most "
				    "%d rlimits and %d cpus",
				    LIMIT_RLIMITS, LIMIT_CPUS);
	if ((given->n_rlimits && !given->rlimits) || (given->n_cpus && !given->cpus))
		return report_error(-EINVAL,
				    "context: rlimits or cpus is NULL, but its count is not 0");
	for (size_t i = 0; i < given->n_rlimits; i++) {
		if (given->rlimits[i].resource < 0 || given->rlimits[i].resource >= RLIMIT_NLIMITS)
			return report_error(-EINVAL,
					    "context.rlimits[%zu].resource is %d, which is no "
					    "resource of setrlimit(2)",
					    i, given->rlimits[i].resource);
		context->rlimits[i].resource = given->rlimits[i].resource;
		context->rlimits[i].soft = given->rlimits[i].soft;
	}
	context->n_rlimits = given->n_rlimits;
	if (!given->n_cpus)
		return 0;
	context->cpus = calloc(given->n_cpus, sizeof context->cpus[0]);
	if (!context->cpus)
		return report_internal(-ENOMEM, "copying the context");
	for (size_t i = 0; i < given->n_cpus; i++) {
		if (given->cpus[i] >= CPU_SETSIZE)
			return report_error(-EINVAL,
					    "context.cpus[%zu] is %u; it must be less than %d", i,
					    given->cpus[i], CPU_SETSIZE);
		context->cpus[i] = given->cpus[i];
	}
	context->n_cpus = given->n_cpus;
	return 0;
}

static bool context_is_plain(const struct task_context *c) {
	return !c->n_environment && !c->clear_environment && !c->directory && !c->set_umask &&
	       !c->n_descriptors && !c->n_rlimits && !c->nice && !c->n_cpus &&
	       c->streams[0].mode == WF_STDIO_NULL && c->streams[1].mode == WF_STDIO_INHERIT &&
	       c->streams[2].mode == WF_STDIO_INHERIT;
}

static int context_fill(struct task_context *context, const struct wf_context *given) {
	int r;

	context->clear_environment = given->clear_environment;
	context->set_umask = given->set_umask;
	context->umask = given->umask & 0777;
	context->nice = given->nice;
	if (given->nice < -40 || given->nice > 40)
		return report_error(-EINVAL, "context.nice is %d; it must be from -40 to 40",
				    given->nice);
	if (given->directory) {
		if (!*given->directory || strlen(given->directory) >= LIMIT_PATH)
			return report_error(-EINVAL,
					    "context.directory is empty or longer than %d bytes",
					    LIMIT_PATH - 1);
		context->directory = strdup(given->directory);
		if (!context->directory)
			return report_internal(-ENOMEM, "copying the context");
	}
	r = copy_environment(context, given);
	r = r < 0 ? r : copy_streams(context, given);
	r = r < 0 ? r : copy_descriptors(context, given);
	r = r < 0 ? r : copy_limits(context, given);
	context->plain = context_is_plain(context);
	return r;
}

static void close_descriptors(struct task_context *context) {
	for (int i = 0; i < 3; i++)
		(void)fd_close(context->streams[i].descriptor);
	fd_close_all(context->descriptors, context->n_descriptors);
}

static void context_destroy(struct task_context *context) {
	for (size_t i = 0; i < context->n_environment; i++)
		free(context->environment[i]);
	free(context->environment);
	free(context->directory);
	free(context->cpus);
	free(context);
}

int task_context_new(const struct wf_context *given, struct task_context **ret) {
	struct task_context *context;
	struct wf_context known;
	int r;

	*ret = NULL;
	if (!given)
		return 0;
	r = known_take(&known, sizeof known, given, KNOWN_FIRST_CONTEXT, "context");
	if (r < 0)
		return r;
	context = calloc(1, sizeof *context);
	if (!context)
		return report_internal(-ENOMEM, "copying the context");
	context->references = 1;
	for (int i = 0; i < 3; i++)
		context->streams[i].descriptor = -1;
	r = context_fill(context, &known);
	if (r < 0) {
		close_descriptors(context);
		context_destroy(context);
		return r;
	}
	*ret = context;
	return 0;
}

struct task_context *task_context_ref(struct task_context *context) {
	if (context)
		context->references++;
	return context;
}

struct task_context *task_context_free(struct task_context *context) {
	if (context && --context->references == 0) {
		close_descriptors(context);
		context_destroy(context);
	}
	return NULL;
}

struct task_context *task_context_abandon(struct task_context *context) {
	if (context && --context->references == 0)
		context_destroy(context);
	return NULL;
}

bool task_context_has_descriptors(const struct task_context *context) {
	for (int i = 0; i < 3; i++)
		if (context->streams[i].descriptor >= 0)
			return true;
	return context->n_descriptors > 0;
}

static bool same_strings(char *const *a, char *const *b, size_t n) {
	for (size_t i = 0; i < n; i++)
		if (strcmp(a[i], b[i]) != 0)
			return false;
	return true;
}

bool task_context_equal(const struct task_context *a, const struct task_context *b) {
	if (!a || !b)
		return a == b;
	/* We compare duplicates, which equal no other descriptor, so such contexts are never
	 * equal. */
	if (a->n_descriptors || b->n_descriptors)
		return false;
	for (int i = 0; i < 3; i++)
		if (a->streams[i].mode != b->streams[i].mode ||
		    a->streams[i].mode == WF_STDIO_DESCRIPTOR ||
		    a->streams[i].limit != b->streams[i].limit ||
		    a->streams[i].overflow != b->streams[i].overflow)
			return false;
	if (a->n_environment != b->n_environment || a->n_rlimits != b->n_rlimits ||
	    a->n_cpus != b->n_cpus || !a->directory != !b->directory)
		return false;
	if (a->directory && strcmp(a->directory, b->directory) != 0)
		return false;
	for (size_t i = 0; i < a->n_rlimits; i++)
		if (a->rlimits[i].resource != b->rlimits[i].resource ||
		    a->rlimits[i].soft != b->rlimits[i].soft)
			return false;
	if (a->n_cpus && memcmp(a->cpus, b->cpus, a->n_cpus * sizeof a->cpus[0]) != 0)
		return false;
	return same_strings(a->environment, b->environment, a->n_environment) &&
	       a->clear_environment == b->clear_environment && a->set_umask == b->set_umask &&
	       a->umask == b->umask && a->nice == b->nice;
}

static enum stream_mode stream_message(const struct task_stream *stream, int number) {
	switch (stream->mode) {
	case WF_STDIO_NULL:
		/* a worker's standard input is the null device already */
		return number ? STREAM_NULL : STREAM_LEAVE;
	case WF_STDIO_CAPTURE:
	case WF_STDIO_DESCRIPTOR:
		return STREAM_DESCRIPTOR;
	case WF_STDIO_DEFAULT:
	case WF_STDIO_INHERIT:
	default:
		return STREAM_LEAVE;
	}
}

void task_context_message(const struct task_context *context, struct message_context *ret) {
	*ret = (struct message_context){
		.environment = (const char *const *)context->environment,
		.n_environment = context->n_environment,
		.clear_environment = context->clear_environment,
		.directory = context->directory ? context->directory : "",
		.set_umask = context->set_umask,
		.umask = context->umask,
		.n_descriptors = (uint32_t)context->n_descriptors,
		.rlimits = context->rlimits,
		.n_rlimits = context->n_rlimits,
		.nice = context->nice,
		.cpus = context->cpus,
		.n_cpus = context->n_cpus,
	};
	for (int i = 0; i < 3; i++)
		ret->streams[i] = stream_message(&context->streams[i], i);
}
