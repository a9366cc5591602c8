/* SPDX-License-Identifier: MIT
 *
 * After a task that made no system call (zygote/tripwire.h), only memory is looked at. After any
 * other task, what is cheap to set is set without looking, and the rest is compared first. One read
 * of /proc/self/status gives a bit for each signal handler, the number of threads, and the identity
 * of the process.
 *
 *     put back    environment, directory, umask, standard streams, affinity, signal mask, handlers
 *                 and their stack, interval timers, soft limits, process group, the parent-death
 *                 signal, the thread's name
 *     ended       child processes, and all below them
 *     a reason to leave    threads that were not there before, POSIX timers, hard limits that were
 *                 lowered, another user, group or capability, no_new_privs, seccomp, another nice
 *                 value, scheduling policy, personality or locale, being no subreaper, a closed or
 *                 replaced stdin, stdout or stderr of stdio, many descriptors, a child that cannot
 *                 be ended, anything of the above that fails
 *     kept        ioprio, oom_score_adj, timer slack, namespaces, the root directory and session,
 *                 floating-point rounding, file status flags (O_NONBLOCK) of what standard streams
 *                 refer to, options of the task channel (a socket filter, SO_SNDBUF, SO_PEEK_OFF),
 *                 dumpability, memory and its locks, some descriptors, children that were made the
 *                 zygote's (CLONE_PARENT; see strangers.c)
 *
 * Some descriptors are kept because libraries open one at their first use. The lowest free number
 * tells how many there are.
 */
#include "zygote/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/uninitialized.h"
#include "zygote/aside.h"
#include "zygote/child.h"
#include "zygote/sweep.h"

/* A thread that has been joined is still counted until the kernel has removed it. */
#define THREADS_PATIENCE_MS 20
/* How long a killed child may take to end, and how often it is checked. */
#define CHILDREN_PATIENCE_MS 1000
#define CHILDREN_LOOK_NS     50000
/* Room for those that stay, and for some of those that do not. */
#define CHILDREN_BATCH (2 * RESTORE_CHILDREN)
/* Descriptors that tasks may leave open. */
#define DESCRIPTORS_SPARE 64
#define PERSONALITY_QUERY 0xffffffff

/* --- /proc/self/status --------------------------------------------------------------------- */

#define HASH_START  0xcbf29ce484222325U
#define HASH_FACTOR 0x100000001b3U

/* A line may be of any length (Groups): it is hashed as it is read, and its beginning is kept. */
struct status_line {
	char text[64];
	size_t length;
	uint64_t hash;
};

static bool line_is(const struct status_line *line, const char *key) {
	return strncmp(line->text, key, strlen(key)) == 0;
}

static void status_take(const struct status_line *line, struct restore_status *ret) {
	static const char *const identity[] = { "Uid:",    "Gid:",       "Groups:", "CapInh:",
						"CapPrm:", "CapEff:",    "CapBnd:", "CapAmb:",
						"Seccomp", "NoNewPrivs:" };

	if (line_is(line, "Threads:"))
		ret->threads = strtoul(line->text + strlen("Threads:"), NULL, 10);
	else if (line_is(line, "SigIgn:"))
		ret->ignored = strtoull(line->text + strlen("SigIgn:"), NULL, 16);
	else if (line_is(line, "SigCgt:"))
		ret->caught = strtoull(line->text + strlen("SigCgt:"), NULL, 16);
	for (size_t i = 0; i < sizeof identity / sizeof identity[0]; i++)
		if (line_is(line, identity[i]))
			ret->identity = (ret->identity ^ line->hash) * HASH_FACTOR;
}

static void status_parse(const char *text, size_t size, struct status_line *line,
			 struct restore_status *ret) {
	for (size_t i = 0; i < size; i++) {
		if (text[i] != '\n') {
			if (line->length < sizeof line->text - 1)
				line->text[line->length++] = text[i];
			line->hash = (line->hash ^ (uint8_t)text[i]) * HASH_FACTOR;
			continue;
		}
		line->text[line->length] = '\0';
		status_take(line, ret);
		*line = (struct status_line){ .hash = HASH_START };
	}
}

static int status_read(int fd, struct restore_status *ret) {
	struct status_line line = { .hash = HASH_START };
	char text[4096] uninitialized;
	off_t at = 0;
	ssize_t n;

	*ret = (struct restore_status){ .identity = HASH_START };
	do {
		n = pread(fd, text, sizeof text, at);
		if (n < 0)
			return error_origin(-errno);
		status_parse(text, (size_t)n, &line, ret);
		at += n;
	} while (n == (ssize_t)sizeof text);
	/* If a task has closed our descriptor, anything may be open there now. */
	return ret->threads > 0 ? 0 : error_origin(-EIO);
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

/* From here on the environment lies in our own memory. The C library keeps the last vector that it
 * allocated, and may move it, so a vector of its own would not be safe to come back to. */
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

/* Set without a comparison, which would cost as much. The next task must see neither what this one
 * read ahead nor its end of file. */
static const char *streams_restore(const int *streams) {
	for (int i = 0; i < 3; i++) {
		if (streams[i] < 0)
			(void)close(i);
		else if (dup2(streams[i], i) < 0)
			return "its standard streams cannot be put back";
	}
	return NULL;
}

static void stdio_restore(void) {
	FILE *const streams[] = { stdin, stdout, stderr };

	if (stdin)
		__fpurge(stdin);
	for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++)
		if (streams[i])
			clearerr(streams[i]);
}

/* --- signals and timers -------------------------------------------------------------------- */

/* The kernel uses only these bytes of a mask; sigaction(3) does not set the rest. */
static bool same_action(const struct sigaction *one, const struct sigaction *other) {
	return one->sa_handler == other->sa_handler && one->sa_flags == other->sa_flags &&
	       memcmp(&one->sa_mask, &other->sa_mask, RESTORE_SIGNALS / 8) == 0;
}

static const char *handler_restore(struct restore *restore, int number) {
	const struct sigaction *before = &restore->actions[number];
	struct sigaction now;

	if (sigaction(number, NULL, &now) == 0 && same_action(&now, before))
		return NULL;
	return sigaction(number, before, NULL) < 0 ? "a signal handler cannot be put back" : NULL;
}

/* The status line has one bit for each signal. Which handler it is, and whether a SIGCHLD without
 * one has SA_NOCLDWAIT, has to be asked. */
static const char *handlers_restore(struct restore *restore, const struct restore_status *now) {
	const struct restore_status *before = &restore->before;
	uint64_t doubtful = (now->ignored ^ before->ignored) | (now->caught ^ before->caught) |
			    before->caught | UINT64_C(1) << (SIGCHLD - 1);
	const char *reason = NULL;

	for (int number = 1; number <= RESTORE_SIGNALS && !reason; number++)
		if (signal_is_in(doubtful, number) && (number < 32 || number >= SIGRTMIN))
			reason = handler_restore(restore, number);
	if (!reason && sigaltstack(&restore->stack, NULL) < 0)
		reason = "the stack of signal handlers cannot be put back";
	return reason;
}

static size_t timers_size(int fd) {
	char text[512];
	ssize_t n = fd < 0 ? 0 : pread(fd, text, sizeof text, 0);

	return n < 0 ? 0 : (size_t)n;
}

static const char *timers_restore(const struct restore *restore) {
	const struct itimerval off = { 0 };

	for (int i = 0; i < RESTORE_INTERVALS; i++)
		if (!restore->interval[i])
			(void)setitimer((__itimer_which_t)i, &off, NULL);
	if (timers_size(restore->timers) != restore->n_timers)
		return "the task left a POSIX timer";
	return NULL;
}

static void signals_snapshot(struct restore *restore) {
	struct itimerval timer;

	(void)sigprocmask(SIG_SETMASK, NULL, &restore->mask);
	(void)sigaltstack(NULL, &restore->stack);
	for (int number = 1; number <= RESTORE_SIGNALS; number++)
		(void)sigaction(number, NULL, &restore->actions[number]);
	for (int i = 0; i < RESTORE_INTERVALS; i++)
		restore->interval[i] = getitimer((__itimer_which_t)i, &timer) == 0 &&
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
	return NULL;
}

/* --- what it is ---------------------------------------------------------------------------- */

static int stdio_descriptor(FILE *stream) {
	return stream ? fileno(stream) : -1;
}

static void manner_read(struct restore_manner *ret) {
	ret->policy = sched_getscheduler(0);
	ret->nice = getpriority(PRIO_PROCESS, 0);
	ret->personality = personality(PERSONALITY_QUERY);
	ret->reaps = 0;
	(void)prctl(PR_GET_CHILD_SUBREAPER, &ret->reaps, 0, 0, 0);
}

static void library_read(struct restore_library *ret) {
	const char *locale = setlocale(LC_ALL, NULL);

	ret->stdio[0] = stdio_descriptor(stdin);
	ret->stdio[1] = stdio_descriptor(stdout);
	ret->stdio[2] = stdio_descriptor(stderr);
	(void)snprintf(ret->locale, sizeof ret->locale, "%s", locale ? locale : "");
}

/* Most of this could only be put back with privileges, so a worker leaves in all cases. One that
 * was no subreaper has lost what its task left to the zygote, which ends that when the worker has
 * ended. */
static const char *manner_check(const struct restore_manner *before) {
	struct restore_manner now;

	manner_read(&now);
	if (now.nice != before->nice)
		return "its nice value was changed";
	if (now.policy != before->policy)
		return "its scheduling policy was changed";
	if (now.reaps != before->reaps)
		return "it was no subreaper any more";
	return now.personality != before->personality ? "its personality was changed" : NULL;
}

static const char *library_check(const struct restore_library *before) {
	const char *locale = setlocale(LC_ALL, NULL);

	if (stdio_descriptor(stdin) != before->stdio[0] ||
	    stdio_descriptor(stdout) != before->stdio[1] ||
	    stdio_descriptor(stderr) != before->stdio[2])
		return "stdin, stdout or stderr of stdio was closed or replaced";
	return strcmp(locale ? locale : "", before->locale) != 0 ? "its locale was changed" : NULL;
}

static const char *process_restore(const struct restore *restore) {
	if (getpgrp() != getpid() && setpgid(0, 0) < 0)
		return "its process group cannot be put back";
	(void)prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
	(void)prctl(PR_SET_NAME, restore->name, 0, 0, 0);
	return NULL;
}

/* --- descriptors --------------------------------------------------------------------------- */

static int descriptors_lowest(const struct restore *restore) {
	int fd = fcntl(restore->directory, F_DUPFD_CLOEXEC, 3);

	if (fd < 0)
		return error_origin(-errno);
	(void)close(fd);
	return fd;
}

static const char *descriptors_check(const struct restore *restore) {
	static char text[64];
	int lowest = descriptors_lowest(restore);

	if (lowest == -EMFILE)
		return "the task left all descriptors in use";
	if (lowest < 0)
		return "a descriptor of the worker was closed";
	if (lowest - restore->lowest <= DESCRIPTORS_SPARE)
		return NULL;
	(void)snprintf(text, sizeof text, "tasks left %d descriptors open",
		       lowest - restore->lowest);
	return text;
}

/* --- children and threads ------------------------------------------------------------------ */

static bool children_contain(const struct restore_children *children, pid_t pid) {
	for (size_t i = 0; i < children->n; i++)
		if (children->pids[i] == pid)
			return true;
	return false;
}

/* Without /proc in its view a worker can only ask whether there are any children; it cannot tell
 * them apart. */
static int children_list(const struct restore *restore, pid_t *pids, size_t n) {
	if (!restore->opened)
		return process_children(pids, n);
	if (restore->children_file >= 0)
		return process_children_from(restore->children_file, pids, n);
	return child_exists() ? error_origin(-ENOENT) : 0;
}

static int children_snapshot(struct restore *restore) {
	struct restore_children *ret = &restore->children;
	int n = children_list(restore, ret->pids, RESTORE_CHILDREN);

	if (n < 0)
		return error_trace(n);
	if (n > RESTORE_CHILDREN)
		return error_origin(-E2BIG);
	ret->n = (size_t)n;
	return 0;
}

/* Kills the children of one generation that may not stay and reaps those that have ended; the next
 * generation comes to us, the subreaper. Returns how many there were, or -errno. *ret_reaped tells
 * whether some have gone. */
static int children_round(const struct restore *restore, bool *ret_reaped) {
	static pid_t children[CHILDREN_BATCH];
	const struct restore_children *stay = &restore->children;
	int n = children_list(restore, children, sizeof children / sizeof children[0]);
	int n_strangers = 0;

	if (n < 0)
		return error_trace(n);
	if (n > CHILDREN_BATCH)
		n = CHILDREN_BATCH;
	*ret_reaped = false;
	for (int i = 0; i < n; i++)
		if (!children_contain(stay, children[i])) {
			(void)sweep_kill(children[i]);
			n_strangers++;
		}
	for (int i = 0; i < n; i++)
		if (!children_contain(stay, children[i]) &&
		    child_has_ended(children[i], NULL) != 0) {
			(void)process_reap(children[i], NULL);
			*ret_reaped = true;
		}
	return n_strangers;
}

/* A child that cannot be killed, because it runs as another user or hangs in the kernel, is not
 * waited for. */
static const char *children_restore(const struct restore *restore) {
	const struct timespec look = { .tv_nsec = CHILDREN_LOOK_NS };
	nsec_t give_up = 0, now;
	bool reaped = false;
	int n;

	if (restore->children.n == 0 && !child_exists())
		return NULL;
	while ((n = children_round(restore, &reaped)) > 0) {
		now = clock_now();
		if (reaped || give_up == 0)
			give_up = clock_after_ms(now, CHILDREN_PATIENCE_MS);
		else if (now >= give_up)
			return "a process that the task left cannot be ended";
		if (!reaped)
			(void)nanosleep(&look, NULL);
	}
	return n < 0 ? "its child processes cannot be listed" : NULL;
}

static const char *threads_check(const struct restore *restore, struct restore_status *now) {
	const struct timespec moment = { .tv_nsec = (long)NSEC_PER_MSEC };

	for (int i = 0; now->threads > restore->before.threads; i++) {
		if (i == THREADS_PATIENCE_MS)
			return "the task left threads running";
		(void)nanosleep(&moment, NULL);
		if (status_read(restore->status, now) < 0)
			return "its threads cannot be counted";
	}
	return NULL;
}

/* --- all of it ----------------------------------------------------------------------------- */

static int open_aside(const char *path, int flags) {
	int fd = open(path, flags | O_CLOEXEC);

	return fd < 0 ? error_origin(-errno) : aside_consume(fd);
}

static void files_open(struct restore *restore) {
	restore->status = open_aside("/proc/self/status", O_RDONLY);
	restore->timers = open_aside("/proc/self/timers", O_RDONLY);
}

static void directory_open(struct restore *restore) {
	restore->directory = open_aside(".", O_PATH | O_DIRECTORY);
}

void restore_open(struct restore *restore) {
	files_open(restore);
	restore->opened = true;
}

void restore_open_view(struct restore *restore) {
	char path[64];

	directory_open(restore);
	(void)snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)gettid());
	restore->children_file = open_aside(path, O_RDONLY);
}

static int files_snapshot(struct restore *restore) {
	int r;

	r = streams_snapshot(restore->streams);
	if (r < 0)
		return error_trace(r);
	if (!restore->opened) {
		files_open(restore);
		directory_open(restore);
	}
	if (restore->directory < 0)
		return error_trace(restore->directory);
	if (restore->status < 0)
		return error_trace(restore->status);
	restore->lowest = descriptors_lowest(restore);
	if (restore->lowest < 0)
		return error_trace(restore->lowest);
	return error_trace(status_read(restore->status, &restore->before));
}

int restore_snapshot(struct restore *restore) {
	int r;

	r = files_snapshot(restore);
	if (r == 0)
		r = children_snapshot(restore);
	if (r == 0)
		r = environment_snapshot(&restore->environment);
	if (r < 0)
		return error_trace(r);
	restore->umask = umask(0);
	(void)umask(restore->umask);
	(void)prctl(PR_GET_NAME, restore->name, 0, 0, 0);
	manner_read(&restore->manner);
	library_read(&restore->library);
	restore->n_timers = timers_size(restore->timers);
	for (unsigned i = 0; i < RLIM_NLIMITS; i++)
		if (getrlimit((__rlimit_resource_t)i, &restore->limits[i]) < 0)
			return error_origin(-errno);
	if (sched_getaffinity(0, sizeof restore->cpus, &restore->cpus) < 0)
		return error_origin(-errno);
	signals_snapshot(restore);
	return 0;
}

/* Handlers come before children: while a task ignores SIGCHLD, the ends of children are
 * never seen. */
static const char *restore_while_masked(struct restore *restore) {
	struct restore_status now;
	const char *reason;

	if (status_read(restore->status, &now) < 0)
		return "its state cannot be read";
	if (now.identity != restore->before.identity)
		return "its user, group or privileges were changed";
	/* Limits come next, because what follows may need descriptors. */
	reason = limits_restore(restore);
	if (!reason)
		reason = descriptors_check(restore);
	if (!reason)
		reason = timers_restore(restore);
	if (!reason)
		reason = threads_check(restore, &now);
	if (!reason)
		reason = handlers_restore(restore, &now);
	if (!reason)
		reason = process_restore(restore);
	if (!reason)
		reason = children_restore(restore);
	return reason;
}

/* Puts back what a task can change without the kernel. */
const char *restore_memory(struct restore *restore) {
	const char *reason = library_check(&restore->library);

	environment_restore(&restore->environment);
	if (!reason)
		stdio_restore();
	return reason;
}

const char *restore_apply(struct restore *restore) {
	const char *reason = restore_while_masked(restore);

	(void)sigprocmask(SIG_SETMASK, &restore->mask, NULL);
	if (!reason)
		reason = manner_check(&restore->manner);
	if (!reason)
		reason = scheduling_restore(restore);
	if (!reason)
		reason = streams_restore(restore->streams);
	if (!reason && fchdir(restore->directory) < 0)
		reason = "its working directory cannot be put back";
	(void)umask(restore->umask);
	return reason ? reason : restore_memory(restore);
}
