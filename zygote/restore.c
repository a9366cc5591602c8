/* SPDX-License-Identifier: MIT
 *
 * What is cheap to set is set, without looking; what is not is compared first. Cheapest of all are
 * the signal handlers: one read of /proc/self/stat has a bit for each, and the number of threads.
 *
 *     put back    environment, directory, umask, standard streams, affinity, signal mask and
 *                 handlers, interval timers, soft limits
 *     ended       child processes, and all below them
 *     a reason to leave    threads that were not there before, POSIX timers, hard limits that were
 *                 lowered, another nice value or user, anything of the above that fails
 *
 * Descriptors that a task leaves open stay open: libraries open some once, at their first use.
 */
#include "zygote/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "zygote/aside.h"
#include "zygote/sweep.h"

/* A thread that has been joined is still counted until the kernel has buried it. */
#define THREADS_PATIENCE_MS 20

/* --- /proc/self/stat ----------------------------------------------------------------------- */

/* Fields are counted from the state, which comes after the last parenthesis and is number 3. */
enum { STAT_STATE = 3, STAT_THREADS = 20, STAT_IGNORED = 33, STAT_CAUGHT = 34 };

static int stat_read(int fd, struct restore_stat *ret) {
	char text[1024], *at;
	ssize_t n = pread(fd, text, sizeof text - 1, 0);

	if (n <= 0)
		return error_origin(n < 0 ? -errno : -EIO);
	text[n] = '\0';
	at = strrchr(text, ')');
	if (!at)
		return error_origin(-EIO);
	at += 2;
	for (int field = STAT_STATE; *at; field++) {
		if (field == STAT_THREADS)
			ret->threads = strtoul(at, NULL, 10);
		else if (field == STAT_IGNORED)
			ret->ignored = strtoull(at, NULL, 10);
		else if (field == STAT_CAUGHT)
			ret->caught = strtoull(at, NULL, 10);
		at = strchr(at, ' ');
		if (!at || field == STAT_CAUGHT)
			break;
		at++;
	}
	return 0;
}

static bool signal_is_in(uint64_t set, int number) {
	return set >> (number - 1) & 1;
}

/* --- environment --------------------------------------------------------------------------- */

static size_t environment_size(size_t *ret_n) {
	size_t n = 0, size = 0;

	for (; environ && environ[n]; n++)
		size += strlen(environ[n]) + 1;
	*ret_n = n;
	return size + (n + 1) * sizeof(char *);
}

static void environment_copy(char **vector, size_t n) {
	char *strings = (char *)(vector + n + 1);

	for (size_t i = 0; i < n; i++) {
		size_t size = strlen(environ[i]) + 1;

		vector[i] = memcpy(strings, environ[i], size);
		strings += size;
	}
	vector[n] = NULL;
}

/* From here on the environment lies in memory of ours. The C library keeps the last vector that it
 * allocated itself, and may move it: a vector of its own would not be safe to come back to. */
static int environment_snapshot(struct restore_environment *environment) {
	size_t n, size = environment_size(&n);
	void *memory =
	    mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return error_origin(-errno);
	environment->size = size;
	environment->live = memory;
	environment->pristine = (char *)memory + size;
	environment_copy(environment->live, n);
	memcpy(environment->pristine, environment->live, size);
	environ = environment->live;
	return 0;
}

static void environment_restore(const struct restore_environment *environment) {
	if (environ == environment->live &&
	    memcmp(environment->live, environment->pristine, environment->size) == 0)
		return;
	memcpy(environment->live, environment->pristine, environment->size);
	environ = environment->live;
}

/* --- standard streams ---------------------------------------------------------------------- */

static int streams_snapshot(int *streams) {
	for (int i = 0; i < 3; i++) {
		streams[i] = aside_duplicate(i);
		if (streams[i] < 0 && streams[i] != -EBADF)
			return error_trace(streams[i]);
	}
	return 0;
}

/* Set without a comparison: that would cost as much. What the task read ahead, and its end of
 * file, must not be seen by the next. */
static const char *streams_restore(const int *streams) {
	for (int i = 0; i < 3; i++) {
		if (streams[i] < 0)
			(void)close(i);
		else if (dup2(streams[i], i) < 0)
			return "its standard streams cannot be put back";
	}
	__fpurge(stdin);
	clearerr(stdin);
	clearerr(stdout);
	clearerr(stderr);
	return NULL;
}

/* --- signals and timers -------------------------------------------------------------------- */

static const char *handler_restore(struct restore *restore, int number) {
	const struct sigaction *before = &restore->actions[number];
	struct sigaction now;

	if (sigaction(number, NULL, &now) == 0 && now.sa_handler == before->sa_handler &&
	    now.sa_flags == before->sa_flags)
		return NULL;
	return sigaction(number, before, NULL) < 0 ? "a signal handler cannot be put back" : NULL;
}

/* Of a signal that had and has a handler, it must be asked which. */
static const char *handlers_restore(struct restore *restore, const struct restore_stat *now) {
	const struct restore_stat *before = &restore->before;
	uint64_t doubtful =
	    (now->ignored ^ before->ignored) | (now->caught ^ before->caught) | before->caught;
	const char *reason = NULL;

	for (int number = 1; number <= RESTORE_SIGNALS && !reason; number++)
		if (signal_is_in(doubtful, number) && (number < 32 || number >= SIGRTMIN))
			reason = handler_restore(restore, number);
	return reason;
}

static size_t timers_size(int fd) {
	char text[512];
	ssize_t n = fd < 0 ? 0 : pread(fd, text, sizeof text, 0);

	return n < 0 ? 0 : (size_t)n;
}

static const char *timers_restore(const struct restore *restore) {
	static const enum __itimer_which which[3] = { ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF };
	const struct itimerval off = { 0 };

	for (int i = 0; i < 3; i++)
		if (!restore->interval[i])
			(void)setitimer(which[i], &off, NULL);
	if (timers_size(restore->timers) != restore->n_timers)
		return "the task left a POSIX timer";
	return NULL;
}

static void signals_snapshot(struct restore *restore) {
	static const enum __itimer_which which[3] = { ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF };
	struct itimerval timer;

	(void)sigprocmask(SIG_SETMASK, NULL, &restore->mask);
	for (int number = 1; number <= RESTORE_SIGNALS; number++)
		(void)sigaction(number, NULL, &restore->actions[number]);
	for (int i = 0; i < 3; i++)
		restore->interval[i] = getitimer(which[i], &timer) == 0 &&
				       (timer.it_value.tv_sec != 0 || timer.it_value.tv_usec != 0);
}

/* --- limits -------------------------------------------------------------------------------- */

static const char *limits_restore(const struct restore *restore) {
	for (unsigned i = 0; i < RLIM_NLIMITS; i++) {
		const struct rlimit *before = &restore->limits[i];
		struct rlimit now;

		if (getrlimit((__rlimit_resource_t)i, &now) < 0 ||
		    (now.rlim_cur == before->rlim_cur && now.rlim_max == before->rlim_max))
			continue;
		if (setrlimit((__rlimit_resource_t)i, before) < 0)
			return "a hard resource limit was lowered";
	}
	return NULL;
}

static const char *scheduling_restore(const struct restore *restore) {
	cpu_set_t cpus;

	if (sched_getaffinity(0, sizeof cpus, &cpus) < 0 || !CPU_EQUAL(&cpus, &restore->cpus))
		if (sched_setaffinity(0, sizeof restore->cpus, &restore->cpus) < 0)
			return "its CPU affinity cannot be put back";
	/* Only the privileged could put it back; a worker leaves alike for all. */
	if (getpriority(PRIO_PROCESS, 0) != restore->nice)
		return "its nice value was changed";
	return NULL;
}

/* --- children and threads ------------------------------------------------------------------ */

static bool children_contain(const struct restore_children *children, pid_t pid) {
	for (size_t i = 0; i < children->n; i++)
		if (children->pids[i] == pid)
			return true;
	return false;
}

static int children_snapshot(struct restore_children *ret) {
	int n = process_children(ret->pids, RESTORE_CHILDREN);

	if (n < 0)
		return error_trace(n);
	if (n > RESTORE_CHILDREN)
		return error_origin(-E2BIG);
	ret->n = (size_t)n;
	return 0;
}

/* Each round ends one generation of what the task left; the next comes to us, the subreaper. */
static const char *children_restore(const struct restore_children *stay) {
	enum child_event event;
	const pid_t *children;
	pid_t pid;
	bool again = stay->n > 0 || process_peek_children(&pid, &event) != -ECHILD;

	while (again) {
		size_t n = sweep_children(&children);

		again = false;
		for (size_t i = 0; i < n; i++)
			if (!children_contain(stay, children[i]))
				(void)sweep_kill(children[i]);
		for (size_t i = 0; i < n; i++)
			if (!children_contain(stay, children[i]))
				again |= sweep_reap(children[i], NULL) == 0;
	}
	return NULL;
}

static const char *threads_check(struct restore *restore, struct restore_stat *now) {
	const struct timespec moment = { .tv_nsec = (long)NSEC_PER_MSEC };

	for (int i = 0; now->threads > restore->before.threads; i++) {
		if (i == THREADS_PATIENCE_MS)
			return "the task left threads running";
		(void)nanosleep(&moment, NULL);
		if (stat_read(restore->stat, now) < 0)
			return "its threads cannot be counted";
	}
	return NULL;
}

/* --- all of it ----------------------------------------------------------------------------- */

static int files_snapshot(struct restore *restore) {
	int r;

	r = streams_snapshot(restore->streams);
	if (r < 0)
		return error_trace(r);
	restore->directory = aside_consume(open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
	restore->stat = aside_consume(open("/proc/self/stat", O_RDONLY | O_CLOEXEC));
	restore->timers = aside_consume(open("/proc/self/timers", O_RDONLY | O_CLOEXEC));
	if (restore->directory < 0 || restore->stat < 0)
		return error_origin(-EMFILE);
	return error_trace(stat_read(restore->stat, &restore->before));
}

int restore_snapshot(struct restore *restore) {
	int r;

	r = files_snapshot(restore);
	if (r == 0)
		r = children_snapshot(&restore->children);
	if (r == 0)
		r = environment_snapshot(&restore->environment);
	if (r < 0)
		return error_trace(r);
	restore->umask = umask(0);
	(void)umask(restore->umask);
	restore->user = geteuid();
	restore->group = getegid();
	restore->nice = getpriority(PRIO_PROCESS, 0);
	restore->n_timers = timers_size(restore->timers);
	for (unsigned i = 0; i < RLIM_NLIMITS; i++)
		if (getrlimit((__rlimit_resource_t)i, &restore->limits[i]) < 0)
			return error_origin(-errno);
	if (sched_getaffinity(0, sizeof restore->cpus, &restore->cpus) < 0)
		return error_origin(-errno);
	signals_snapshot(restore);
	return 0;
}

static const char *signals_restore(struct restore *restore) {
	struct restore_stat now = { 0 };
	const char *reason;

	if (stat_read(restore->stat, &now) < 0)
		return "its signal handlers cannot be read";
	reason = threads_check(restore, &now);
	if (!reason)
		reason = handlers_restore(restore, &now);
	(void)sigprocmask(SIG_SETMASK, &restore->mask, NULL);
	return reason;
}

static bool same_user(const struct restore *restore) {
	return geteuid() == restore->user && getegid() == restore->group;
}

const char *restore_apply(struct restore *restore) {
	const char *reason;

	/* Limits first: what comes then may need descriptors. */
	reason = same_user(restore) ? limits_restore(restore) : "its user or group was changed";
	if (!reason)
		reason = children_restore(&restore->children);
	if (!reason)
		reason = timers_restore(restore);
	if (!reason)
		reason = signals_restore(restore);
	if (!reason)
		reason = scheduling_restore(restore);
	if (!reason)
		reason = streams_restore(restore->streams);
	if (!reason && fchdir(restore->directory) < 0)
		reason = "its working directory cannot be put back";
	(void)umask(restore->umask);
	environment_restore(&restore->environment);
	return reason;
}
