/* SPDX-License-Identifier: MIT
 *
 * Each finding is one sentence with its remedy, because it is the first thing that the author of a
 * module reads of us.
 *
 * Threads are counted during a trial fork, in a prepare handler of pthread_atfork(3): libraries
 * stop their threads in such handlers and start them again afterwards. Prepare handlers run in the
 * reverse order of their registration, so ours, registered before the module was loaded, runs last.
 *
 * This runs before the image is frozen, once: with malloc and stdio.
 */
#include "zygote/audit.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <warmfork/executor.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/process.h"
#include "zygote/leave.h"
#include "zygote/sweep.h"

/* A thread that has been joined is still listed until the kernel has buried it. */
#define THREADS_PATIENCE_MS 20
/* What the C library's fork dirties at first, such as pages of its locks, is dirtied now. */
#define TRIAL_FORKS 2

__attribute__((format(printf, 3, 4))) static void find(struct audit *audit, enum wf_audit kind,
						       const char *format, ...) {
	va_list arguments;
	char *text;

	/* The first ones will do to begin with. */
	if (audit->n_findings == LIMIT_FINDINGS)
		return;
	text = audit->texts[audit->n_findings];
	va_start(arguments, format);
	(void)vsnprintf(text, AUDIT_TEXT, format, arguments);
	va_end(arguments);
	audit->findings[audit->n_findings++] = (struct message_finding){ (uint32_t)kind, text };
}

static void read_line(const char *path, char *line, int size) {
	FILE *file = fopen(path, "re");

	line[0] = '\0';
	if (!file)
		return;
	if (fgets(line, size, file))
		line[strcspn(line, "\n")] = '\0';
	(void)fclose(file);
}

/* --- threads ------------------------------------------------------------------------------- */

static struct census {
	struct audit *audit; /* NULL: nobody asks */
	unsigned n_threads;
} census;

static unsigned census_list(struct audit *audit) {
	DIR *tasks = opendir("/proc/self/task");
	const struct dirent *entry;
	unsigned n = 0;

	if (!tasks)
		return 0;
	while ((entry = readdir(tasks))) {
		char path[300], name[32];

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		n++;
		if (!audit || (pid_t)strtol(entry->d_name, NULL, 10) == getpid())
			continue;
		(void)snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
		read_line(path, name, sizeof name);
		find(audit, WF_AUDIT_THREADS,
		     "a thread named \"%s\" runs: no worker would have it, and locks that it holds "
		     "would stay locked; start it in initialize, or stop it in a pthread_atfork() "
		     "handler",
		     name);
	}
	(void)closedir(tasks);
	return n;
}

static void census_take(void) {
	const struct timespec moment = { .tv_nsec = (long)NSEC_PER_MSEC };

	if (!census.audit)
		return;
	for (int i = 0; i < THREADS_PATIENCE_MS && (census.n_threads = census_list(NULL)) > 1; i++)
		(void)nanosleep(&moment, NULL);
	if (census.n_threads > 1)
		(void)census_list(census.audit);
	census.audit = NULL;
}

static int trial_fork(void) {
	pid_t pid = fork();

	if (pid == 0)
		leave(0);
	if (pid < 0)
		return error_origin(-errno);
	return error_trace(process_reap(pid, NULL));
}

static int audit_threads(struct audit *audit, struct image *image) {
	int r;

	census = (struct census){ .audit = audit };
	r = trial_fork();
	image->threads = census.n_threads > 1;
	return error_trace(r);
}

/* --- descriptors and locks ----------------------------------------------------------------- */

static bool is_own(const struct audit *audit, int fd) {
	for (size_t i = 0; i < audit->n_own; i++)
		if (audit->own[i] == fd)
			return true;
	return fd <= 2;
}

static void descriptor_name(int fd, char *name, size_t size) {
	char path[64];
	ssize_t n;

	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	n = readlink(path, name, size - 1);
	name[n < 0 ? 0 : n] = '\0';
}

static void audit_descriptor(struct audit *audit, struct image *image, int fd) {
	char name[256];

	descriptor_name(fd, name, sizeof name);
	find(audit, WF_AUDIT_DESCRIPTORS,
	     "descriptor %d (%s) was left open: all workers would share its offset and flags; "
	     "close it in preload, or open it in initialize",
	     fd, name);
	if (image->n_descriptors < IMAGE_DESCRIPTORS)
		image->descriptors[image->n_descriptors++] = fd;
}

/* "lock:	1: FLOCK  ADVISORY  WRITE ..." */
static void audit_lock(struct audit *audit, int fd, const char *line) {
	char kind[16] = "", mode[16] = "", name[256];

	(void)sscanf(line, "lock: %*s %15s %*s %15s", kind, mode);
	descriptor_name(fd, name, sizeof name);
	find(audit, WF_AUDIT_LOCKS,
	     "descriptor %d (%s) holds a file lock (%s %s): workers would share or lose it; "
	     "release it in preload, or take it in initialize",
	     fd, name, kind, mode);
}

static void audit_locks_of(struct audit *audit, int fd) {
	char path[64], line[256];
	FILE *file;

	(void)snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		return;
	while (fgets(line, sizeof line, file))
		if (strncmp(line, "lock:", 5) == 0)
			audit_lock(audit, fd, line);
	(void)fclose(file);
}

static void audit_descriptors(struct audit *audit, struct image *image) {
	DIR *directory = opendir("/proc/self/fd");
	const struct dirent *entry;

	if (!directory)
		return;
	while ((entry = readdir(directory))) {
		int fd = (int)strtol(entry->d_name, NULL, 10);

		if (!isdigit((unsigned char)entry->d_name[0]) || fd == dirfd(directory))
			continue;
		if (!is_own(audit, fd))
			audit_descriptor(audit, image, fd);
		audit_locks_of(audit, fd);
	}
	(void)closedir(directory);
}

/* --- timers -------------------------------------------------------------------------------- */

static void audit_timers(struct audit *audit) {
	static const struct {
		enum __itimer_which which;
		const char *name;
	} intervals[] = {
		{ ITIMER_REAL, "ITIMER_REAL (or alarm())" },
		{ ITIMER_VIRTUAL, "ITIMER_VIRTUAL" },
		{ ITIMER_PROF, "ITIMER_PROF" },
	};
	char line[64];

	for (size_t i = 0; i < sizeof intervals / sizeof intervals[0]; i++) {
		struct itimerval timer;

		if (getitimer(intervals[i].which, &timer) == 0 &&
		    (timer.it_value.tv_sec != 0 || timer.it_value.tv_usec != 0))
			find(audit, WF_AUDIT_TIMERS,
			     "the interval timer %s is armed: workers would not have it, and its "
			     "signal would hit the zygote; arm it in initialize",
			     intervals[i].name);
	}
	read_line("/proc/self/timers", line, sizeof line);
	if (line[0] != '\0')
		find(audit, WF_AUDIT_TIMERS,
		     "a POSIX timer (%s) exists: workers would not have it; create it in "
		     "initialize",
		     line);
}

/* --- signals ------------------------------------------------------------------------------- */

static const char *signal_name(int number, char *text, size_t size) {
	const char *name = sigabbrev_np(number);

	if (name)
		(void)snprintf(text, size, "SIG%s", name);
	else
		(void)snprintf(text, size, "signal %d", number);
	return text;
}

static void audit_action(struct audit *audit, int number) {
	const struct sigaction *before = &audit->actions[number];
	struct sigaction now;
	char name[32];

	if (sigaction(number, NULL, &now) < 0 || now.sa_handler == before->sa_handler)
		return;
	find(audit, WF_AUDIT_SIGNALS,
	     now.sa_handler == SIG_IGN
		 ? "%s is ignored: all workers would inherit that, and programs that they run; do "
		   "it in initialize"
		 : "%s has a handler: all workers would inherit it; install it in initialize",
	     signal_name(number, name, sizeof name));
}

static void audit_signals(struct audit *audit, struct image *image) {
	sigset_t blocked, pending;
	char name[32];

	(void)sigprocmask(SIG_SETMASK, NULL, &blocked);
	(void)sigpending(&pending);
	for (int number = 1; number <= AUDIT_SIGNALS; number++) {
		audit_action(audit, number);
		if (sigismember(&blocked, number) == 1 && sigismember(&audit->mask, number) != 1)
			find(audit, WF_AUDIT_SIGNALS,
			     "%s is blocked: all workers would inherit that; unblock it in preload",
			     signal_name(number, name, sizeof name));
		if (sigismember(&pending, number) == 1)
			find(audit, WF_AUDIT_SIGNALS,
			     "%s is pending: no worker would get it; take it in preload",
			     signal_name(number, name, sizeof name));
	}
	image->mask = blocked;
}

/* --- children ------------------------------------------------------------------------------ */

static void audit_children(struct audit *audit, struct image *image) {
	const pid_t *children;
	size_t n = sweep_children(&children);

	for (size_t i = 0; i < n; i++) {
		char path[64], name[32];

		(void)snprintf(path, sizeof path, "/proc/%d/comm", children[i]);
		read_line(path, name, sizeof name);
		find(audit, WF_AUDIT_CHILDREN,
		     "a child process (%d, \"%s\") %s: wait for it in preload, or start it in "
		     "initialize",
		     children[i], name,
		     sweep_peek(children[i], NULL) == 0 ? "runs" : "has ended, not waited for");
		if (image->n_children < IMAGE_CHILDREN)
			image->children[image->n_children++] = children[i];
	}
}

/* ------------------------------------------------------------------------------------------- */

void audit_begin(struct audit *audit, const int *own, size_t n_own) {
	must(n_own <= AUDIT_OWN);
	memcpy(audit->own, own, n_own * sizeof own[0]);
	audit->n_own = n_own;
	audit->n_findings = 0;
	(void)sigprocmask(SIG_SETMASK, NULL, &audit->mask);
	for (int number = 1; number <= AUDIT_SIGNALS; number++)
		if (sigaction(number, NULL, &audit->actions[number]) < 0)
			audit->actions[number].sa_handler = SIG_DFL;
	/* ENOMEM: then threads go uncounted; a process that short of memory fails soon enough. */
	(void)pthread_atfork(census_take, NULL, NULL);
}

int audit_run(struct audit *audit, struct image *image) {
	int r;

	audit_children(audit, image);
	r = audit_threads(audit, image);
	if (r < 0)
		return error_trace(r);
	audit_descriptors(audit, image);
	audit_timers(audit);
	audit_signals(audit, image);
	for (int i = 0; i < TRIAL_FORKS && r == 0; i++)
		r = trial_fork();
	return error_trace(r);
}

size_t audit_split(struct audit *audit, unsigned waived) {
	size_t n = 0;

	for (size_t i = 0; i < audit->n_findings; i++) {
		struct message_finding finding = audit->findings[i];

		if (!(finding.kind & waived))
			continue;
		audit->findings[i] = audit->findings[n];
		audit->findings[n++] = finding;
	}
	return n;
}
