/* SPDX-License-Identifier: MIT
 *
 * The steps are in an order in which none takes away what a later one needs: limits on
 * descriptors are set after the last open(2), and the directory is entered with the umask and
 * limits of the worker.
 *
 * The environment is a vector in the arena, because the C library never gives back what setenv(3)
 * has allocated, and a worker runs many tasks.
 */
#include "zygote/context.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

_Static_assert(LIMIT_CPUS <= CPU_SETSIZE, "a set holds every CPU that a context may name");

__attribute__((format(printf, 3, 4))) static int context_fail(struct context_failure *failure,
							      int error, const char *format, ...) {
	va_list arguments;

	failure->error = error;
	va_start(arguments, format);
	(void)vsnprintf(failure->text, sizeof failure->text, format, arguments);
	va_end(arguments);
	return error_origin(-error);
}

/* --- environment --------------------------------------------------------------------------- */

static bool same_variable(const char *one, const char *other) {
	size_t length = strcspn(one, "=");

	return strncmp(one, other, length) == 0 && other[length] == '=';
}

/* If a name occurs more than once, the last one counts. */
static bool is_overridden(const char *string, const char *const *by, size_t n) {
	for (size_t i = 0; i < n; i++)
		if (same_variable(by[i], string))
			return true;
	return false;
}

static int set_environment(const struct message_context *context, struct arena *arena,
			   struct context_failure *failure) {
	size_t n_old = 0, n = 0;
	char **vector;

	if (context->n_environment == 0 && !context->clear_environment)
		return 0;
	while (!context->clear_environment && environ && environ[n_old])
		n_old++;
	vector = arena_allocate(arena, (n_old + context->n_environment + 1) * sizeof *vector);
	if (!vector)
		return context_fail(failure, ENOMEM, "the environment is too large");
	for (size_t i = 0; i < n_old; i++)
		if (!is_overridden(environ[i], context->environment, context->n_environment))
			vector[n++] = environ[i];
	for (size_t i = 0; i < context->n_environment; i++)
		if (!is_overridden(context->environment[i], context->environment + i + 1,
				   context->n_environment - i - 1))
			vector[n++] = (char *)(uintptr_t)context->environment[i];
	vector[n] = NULL;
	environ = vector;
	return 0;
}

/* --- streams ------------------------------------------------------------------------------- */

static const char *const stream_names[] = { "standard input", "standard output", "standard error" };

size_t context_streams(const struct message_context *context) {
	size_t n = 0;

	for (int i = 0; i < 3; i++)
		n += context->streams[i] == STREAM_DESCRIPTOR;
	return n;
}

static int set_stream(int stream, int consumed_fd) {
	cleanup_close int fd = consumed_fd;

	if (fd < 0)
		return error_trace(fd);
	if (fd == stream) {
		(void)fd_steal(&fd);
		return fcntl(stream, F_SETFD, 0) < 0 ? error_origin(-errno) : 0;
	}
	return dup2(fd, stream) < 0 ? error_origin(-errno) : 0;
}

static int open_null(int stream, int null_device) {
	int fd = null_device >= 0
		     ? fd_duplicate(null_device)
		     : open("/dev/null", (stream == 0 ? O_RDONLY : O_WRONLY) | O_CLOEXEC);

	return fd < 0 ? error_origin(-errno) : fd;
}

static int set_streams(const struct message_context *context, int *streams, int null_device,
		       struct context_failure *failure) {
	size_t next = 0;
	int r = 0;

	for (int i = 0; i < 3; i++) {
		switch (context->streams[i]) {
		case STREAM_LEAVE:
			continue;
		case STREAM_NULL:
			r = set_stream(i, open_null(i, null_device));
			break;
		case STREAM_DESCRIPTOR:
			r = set_stream(i, fd_steal(&streams[next++]));
			break;
		}
		if (r < 0)
			return context_fail(failure, -r, "its %s cannot be set up: %s",
					    stream_names[i], strerrordesc_np(-r));
	}
	return 0;
}

/* --- the rest ------------------------------------------------------------------------------ */

static int set_directory(const struct message_context *context, struct context_failure *failure) {
	if (context->directory[0] == '\0' || chdir(context->directory) == 0)
		return 0;
	return context_fail(failure, errno, "its directory %s cannot be entered: %s",
			    context->directory, strerrordesc_np(errno));
}

static int set_affinity(const struct message_context *context, struct context_failure *failure) {
	cpu_set_t set;

	if (context->n_cpus == 0)
		return 0;
	CPU_ZERO(&set);
	for (size_t i = 0; i < context->n_cpus; i++)
		CPU_SET(context->cpus[i], &set);
	if (sched_setaffinity(0, sizeof set, &set) == 0)
		return 0;
	return context_fail(failure, errno, "it cannot run on the CPUs that it asks for: %s",
			    errno == EINVAL ? "this process may use none of them"
					    : strerrordesc_np(errno));
}

static int set_nice(const struct message_context *context, struct context_failure *failure) {
	int present;

	if (context->nice == 0)
		return 0;
	errno = 0;
	present = getpriority(PRIO_PROCESS, 0);
	if (errno == 0 && setpriority(PRIO_PROCESS, 0, present + context->nice) == 0)
		return 0;
	return context_fail(failure, errno, "its nice value cannot be set: %s",
			    strerrordesc_np(errno));
}

/* The kernel counts all CPU time of the process, including that of earlier tasks, but RLIMIT_CPU is
 * meant for this task alone. A second that has begun counts in full. */
static rlim_t cpu_limit(rlim_t soft, rlim_t hard) {
	struct timespec used = { 0 };
	rlim_t seconds;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	seconds = (rlim_t)used.tv_sec + (used.tv_nsec > 0);
	return hard - soft < seconds ? hard : soft + seconds;
}

static int set_rlimit(const struct message_rlimit *wanted, struct context_failure *failure) {
	/* With GNU extensions the C library declares the resources as an enum; the numbers are
	 * the kernel's. */
	__rlimit_resource_t resource = (__rlimit_resource_t)wanted->resource;
	struct rlimit limit;

	if (getrlimit(resource, &limit) < 0)
		return context_fail(failure, errno, "there is no resource limit %d",
				    wanted->resource);
	if (wanted->soft != UINT64_MAX && wanted->soft > limit.rlim_max)
		return context_fail(failure, EPERM, "resource limit %d is above the hard limit",
				    wanted->resource);
	limit.rlim_cur = wanted->soft == UINT64_MAX ? limit.rlim_max : wanted->soft;
	if (resource == RLIMIT_CPU && wanted->soft != UINT64_MAX)
		limit.rlim_cur = cpu_limit(limit.rlim_cur, limit.rlim_max);
	if (setrlimit(resource, &limit) == 0)
		return 0;
	return context_fail(failure, errno, "resource limit %d cannot be set: %s", wanted->resource,
			    strerrordesc_np(errno));
}

static int set_rlimits(const struct message_context *context, struct context_failure *failure) {
	int r = 0;

	for (size_t i = 0; i < context->n_rlimits && r == 0; i++)
		r = set_rlimit(&context->rlimits[i], failure);
	return error_trace(r);
}

int context_apply(const struct message_context *context, int *streams, int null_device,
		  struct arena *arena, struct context_failure *ret_failure) {
	size_t n_streams = context_streams(context);
	int r;

	r = set_streams(context, streams, null_device, ret_failure);
	if (r == 0)
		r = set_directory(context, ret_failure);
	if (r == 0)
		r = set_environment(context, arena, ret_failure);
	if (r == 0)
		r = set_affinity(context, ret_failure);
	if (r == 0)
		r = set_nice(context, ret_failure);
	if (r == 0 && context->set_umask)
		(void)umask((mode_t)context->umask);
	if (r == 0)
		r = set_rlimits(context, ret_failure);
	for (size_t i = 0; i < n_streams; i++)
		streams[i] = fd_close(streams[i]);
	return error_trace(r);
}
