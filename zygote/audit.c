/* SPDX-License-Identifier: MIT
 *
 * Each finding is one sentence with its remedy, because it is the first thing from us that the
 * author of a module reads.
 *
 * Threads are counted during a trial fork, in a prepare handler of pthread_atfork(3): libraries
 * stop their threads in such handlers and start them again afterwards. Prepare handlers run in the
 * reverse order of their registration, so ours, registered before the module was loaded, runs last.
 *
 * The audit runs once, before the image is frozen, so it may use malloc and stdio.
 */
#include "zygote/audit.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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
#include "base/directory.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "zygote/child.h"
#include "zygote/trial.h"

/* A thread that has been joined is still listed until the kernel has removed it. */
#define THREADS_PATIENCE_MS 20
#define CENSUS_NAMES        8
#define CENSUS_NAME         32

static const char *waiver_name(enum wf_audit kind) {
	switch (kind) {
	case WF_AUDIT_THREADS:
		return "WF_AUDIT_THREADS";
	case WF_AUDIT_DESCRIPTORS:
		return "WF_AUDIT_DESCRIPTORS";
	case WF_AUDIT_LOCKS:
		return "WF_AUDIT_LOCKS";
	case WF_AUDIT_TIMERS:
		return "WF_AUDIT_TIMERS";
	case WF_AUDIT_SIGNALS:
		return "WF_AUDIT_SIGNALS";
	case WF_AUDIT_CHILDREN:
		return "WF_AUDIT_CHILDREN";
	}
	return "its kind";
}

static void waiver_append(char *text, enum wf_audit kind) {
	size_t length = strlen(text);

	(void)snprintf(text + length, AUDIT_TEXT - length,
		       ", or waive it with %s in options.audit_waive", waiver_name(kind));
}

/* When there is no room, a finding that refuses the image displaces a waived one. Returns
 * LIMIT_FINDINGS if there is no place for it. */
static size_t finding_place(struct audit *audit, enum wf_audit kind) {
	if (audit->n_findings < LIMIT_FINDINGS)
		return audit->n_findings++;
	for (size_t i = 0; i < LIMIT_FINDINGS && !(kind & audit->waived); i++)
		if (audit->findings[i].kind & audit->waived)
			return i;
	return LIMIT_FINDINGS;
}

__attribute__((format(printf, 3, 4))) static void find(struct audit *audit, enum wf_audit kind,
						       const char *format, ...) {
	va_list arguments;
	size_t index;
	char *text;

	index = finding_place(audit, kind);
	if (index == LIMIT_FINDINGS)
		return;
	text = audit->texts[index];
	va_start(arguments, format);
	(void)vsnprintf(text, AUDIT_TEXT, format, arguments);
	va_end(arguments);
	if (!(kind & audit->waived))
		waiver_append(text, kind);
	audit->findings[index] = (struct message_finding){ (uint32_t)kind, text };
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

/* Static because the pthread_atfork(3) handler that fills it takes no argument. */
static struct census {
	bool wanted;
	size_t n_threads;
	char names[CENSUS_NAMES][CENSUS_NAME]; /* those of the first threads after the main one */
} census;

static void census_name(int tasks, const char *tid, char *name) {
	cleanup_close int fd = -1;
	char path[64];
	ssize_t n = 0;

	(void)snprintf(path, sizeof path, "%.20s/comm", tid);
	fd = openat(tasks, path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		n = read(fd, name, CENSUS_NAME - 1);
	name[n > 0 ? n - 1 : 0] = '\0'; /* the newline */
}

static void census_entry(void *context, int tasks, const char *name) {
	(void)context;
	if (!isdigit((unsigned char)name[0]))
		return;
	/* The main thread is listed first. */
	if (census.n_threads > 0 && census.n_threads <= CENSUS_NAMES)
		census_name(tasks, name, census.names[census.n_threads - 1]);
	census.n_threads++;
}

/* Uses neither malloc nor stdio: the handlers of libraries have run before, and may hold
 * their locks. */
static void census_count(void) {
	cleanup_close int tasks = open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	census.n_threads = 0;
	if (tasks >= 0)
		(void)directory_each(tasks, census_entry, NULL);
}

static void handle_prepare(void) {
	const struct timespec moment = { .tv_nsec = (long)NSEC_PER_MSEC };

	if (!census.wanted)
		return;
	census.wanted = false;
	census_count();
	for (int i = 0; i < THREADS_PATIENCE_MS && census.n_threads > 1; i++) {
		(void)nanosleep(&moment, NULL);
		census_count();
	}
}

static int audit_threads(struct audit *audit, struct image *image) {
	int r;

	census.wanted = true;
	r = trial_fork(NULL);
	if (r < 0)
		return error_trace(r);
	image->threads = census.n_threads > 1;
	for (size_t i = 0; i + 1 < census.n_threads && i < CENSUS_NAMES; i++)
		find(audit, WF_AUDIT_THREADS,
		     "a thread named \"%s\" runs: no worker would have it, and locks that it holds "
		     "would stay locked; start it in initialize, or stop it in a pthread_atfork() "
		     "handler",
		     census.names[i]);
	return 0;
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

	if (sigaction(number, NULL, &now) < 0 ||
	    (now.sa_handler == before->sa_handler &&
	     !((now.sa_flags ^ before->sa_flags) & SA_NOCLDWAIT)))
		return;
	(void)signal_name(number, name, sizeof name);
	if (now.sa_handler == SIG_IGN)
		find(audit, WF_AUDIT_SIGNALS,
		     "%s is ignored: all workers would inherit that, and programs that they run; "
		     "do it in initialize",
		     name);
	else if (now.sa_handler == SIG_DFL)
		find(audit, WF_AUDIT_SIGNALS,
		     "%s has SA_NOCLDWAIT changed: children could not be waited for; do it in "
		     "initialize",
		     name);
	else
		find(audit, WF_AUDIT_SIGNALS,
		     "%s has a handler: all workers would inherit it; install it in initialize",
		     name);
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

static void audit_children(struct audit *audit, struct image *image, struct sweep *sweep) {
	const pid_t *children = sweep->children;
	size_t n = sweep_children(sweep);

	for (size_t i = 0; i < n; i++) {
		char path[64], name[32];

		(void)snprintf(path, sizeof path, "/proc/%d/comm", children[i]);
		read_line(path, name, sizeof name);
		find(audit, WF_AUDIT_CHILDREN,
		     "a child process (%d, \"%s\") %s: wait for it in preload, or start it in "
		     "initialize",
		     children[i], name,
		     child_has_ended(children[i], NULL) ? "has ended, not waited for" : "runs");
		if (image->n_children < IMAGE_CHILDREN)
			image->children[image->n_children++] = children[i];
	}
}

/* ------------------------------------------------------------------------------------------- */

void audit_begin(struct audit *audit, unsigned waived, const int *own, size_t n_own) {
	must(n_own <= AUDIT_OWN);
	memcpy(audit->own, own, n_own * sizeof own[0]);
	audit->n_own = n_own;
	audit->waived = waived;
	audit->n_findings = 0;
	(void)sigprocmask(SIG_SETMASK, NULL, &audit->mask);
	for (int number = 1; number <= AUDIT_SIGNALS; number++)
		if (sigaction(number, NULL, &audit->actions[number]) < 0)
			audit->actions[number].sa_handler = SIG_DFL;
	/* On ENOMEM threads go uncounted; a process that short of memory fails soon anyway. */
	(void)pthread_atfork(handle_prepare, NULL, NULL);
}

int audit_run(struct audit *audit, struct image *image, struct sweep *sweep) {
	int r;

	/* This is first because the trial forks depend on the disposition of SIGCHLD. */
	audit_signals(audit, image);
	audit_children(audit, image, sweep);
	r = audit_threads(audit, image);
	if (r < 0)
		return error_trace(r);
	audit_descriptors(audit, image);
	audit_timers(audit);
	return error_trace(r);
}

size_t audit_split(struct audit *audit) {
	size_t n = 0;

	for (size_t i = 0; i < audit->n_findings; i++) {
		struct message_finding finding = audit->findings[i];

		if (!(finding.kind & audit->waived))
			continue;
		audit->findings[i] = audit->findings[n];
		audit->findings[n++] = finding;
	}
	return n;
}
