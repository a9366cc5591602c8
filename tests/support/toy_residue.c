/* SPDX-License-Identifier: MIT
 *
 * The toy's steps "dirty", which changes what belongs to the whole process, and "look", which
 * answers all of that as a text: two looks are equal where nothing is left of a task.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/toy.h"

/* --- dirty --- */

static void handle(int number) {
	(void)number;
}

static int dirty_environment(void) {
	return setenv("TOY_DIRT", "yes", 1) | unsetenv("HOME") | setenv("PATH", "/nowhere", 1);
}

static int dirty_directory(void) {
	return chdir("/usr");
}

static int dirty_umask(void) {
	umask(0123);
	return 0;
}

static int dirty_stdio(void) {
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	dup2(null, STDOUT_FILENO);
	close(STDIN_FILENO);
	close(STDERR_FILENO);
	return close(null);
}

static int dirty_affinity(void) {
	cpu_set_t set;
	int cpu = sched_getcpu();

	CPU_ZERO(&set);
	CPU_SET(cpu < 0 ? 0 : (size_t)cpu, &set);
	return sched_setaffinity(0, sizeof set, &set);
}

static int lower(int resource, rlim_t soft) {
	struct rlimit limit;

	getrlimit((__rlimit_resource_t)resource, &limit);
	limit.rlim_cur = soft;
	return setrlimit((__rlimit_resource_t)resource, &limit);
}

static int dirty_limits(void) {
	return lower(RLIMIT_NOFILE, 100) | lower(RLIMIT_FSIZE, 1 << 20) | lower(RLIMIT_NPROC, 99);
}

static int dirty_handlers(void) {
	const struct sigaction own = { .sa_handler = handle };
	const struct sigaction ignore = { .sa_handler = SIG_IGN };

	return sigaction(SIGUSR1, &own, NULL) | sigaction(SIGTERM, &ignore, NULL) |
	       sigaction(SIGSEGV, &own, NULL) | sigaction(SIGPIPE, &ignore, NULL);
}

static int dirty_mask(void) {
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR2);
	return sigprocmask(SIG_BLOCK, &set, NULL);
}

static int dirty_timer(void) {
	const struct itimerval hour = { .it_value = { .tv_sec = 3600 } };

	return setitimer(ITIMER_REAL, &hour, NULL) | setitimer(ITIMER_PROF, &hour, NULL);
}

static int dirty_child(void) {
	pid_t pid = fork();

	if (pid == 0)
		toy_hang();
	return pid < 0;
}

static int dirty_hard(void) {
	struct rlimit limit = { .rlim_cur = 50, .rlim_max = 50 };

	return setrlimit(RLIMIT_NOFILE, &limit);
}

static int dirty_nice(void) {
	return setpriority(PRIO_PROCESS, 0, 5);
}

static void *linger(void *unused) {
	(void)unused;
	toy_hang();
}

static int dirty_thread(void) {
	pthread_t thread;

	return pthread_create(&thread, NULL, linger, NULL);
}

static const struct {
	const char *name;
	int (*dirty)(void);
} dirts[] = {
	{ "environment", dirty_environment },
	{ "directory", dirty_directory },
	{ "umask", dirty_umask },
	{ "stdio", dirty_stdio },
	{ "affinity", dirty_affinity },
	{ "limits", dirty_limits },
	{ "handlers", dirty_handlers },
	{ "mask", dirty_mask },
	{ "timer", dirty_timer },
	{ "child", dirty_child },
	{ "hard", dirty_hard },
	{ "nice", dirty_nice },
	{ "thread", dirty_thread },
};

static int dirty(struct wf_call *call, const char *argument) {
	int known = 0;

	for (size_t i = 0; i < sizeof dirts / sizeof dirts[0]; i++) {
		if (strcmp(argument, "all") != 0 && strcmp(argument, dirts[i].name) != 0)
			continue;
		known++;
		if (dirts[i].dirty() != 0)
			return wf_fail(call, errno, "cannot dirty %s", dirts[i].name);
	}
	return known > 0 ? toy_answer(call, "%d", (int)getpid())
			 : wf_fail(call, 99, "no dirt %s", argument);
}

/* --- look --- */

struct view {
	char text[65536];
	size_t used;
};

__attribute__((format(printf, 2, 3))) static void see(struct view *view, const char *format, ...) {
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(view->text + view->used, sizeof view->text - view->used, format, arguments);
	va_end(arguments);
	if (n > 0 && (size_t)n < sizeof view->text - view->used)
		view->used += (size_t)n;
}

static int compare_names(const void *a, const void *b) {
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void look_at_environment(struct view *view) {
	const char *sorted[512];
	size_t n = 0;

	for (; environ != NULL && environ[n] != NULL && n < 512; n++)
		sorted[n] = environ[n];
	qsort(sorted, n, sizeof sorted[0], compare_names);
	for (size_t i = 0; i < n; i++)
		see(view, "environment %s\n", sorted[i]);
}

static void look_at_files(struct view *view) {
	char path[4096];
	mode_t mask = umask(0);
	struct stat status;

	umask(mask);
	see(view, "directory %s\n", getcwd(path, sizeof path) != NULL ? path : "?");
	see(view, "umask %03o\n", (unsigned)mask);
	for (int fd = 0; fd < 3; fd++) {
		if (fstat(fd, &status) < 0)
			see(view, "stdio %d closed\n", fd);
		else
			see(view, "stdio %d device %ju inode %ju flags %o\n", fd,
			    (uintmax_t)status.st_dev, (uintmax_t)status.st_ino,
			    (unsigned)fcntl(fd, F_GETFL));
	}
}

static size_t count_entries(const char *path) {
	DIR *directory = opendir(path);
	size_t n = 0;

	while (directory != NULL && readdir(directory) != NULL)
		n++;
	if (directory != NULL)
		closedir(directory);
	return n;
}

static void look_at_limits(struct view *view) {
	struct rlimit limit;
	cpu_set_t set;

	for (int i = 0; i < (int)RLIM_NLIMITS; i++) {
		getrlimit((__rlimit_resource_t)i, &limit);
		see(view, "limit %d %ju %ju\n", i, (uintmax_t)limit.rlim_cur,
		    (uintmax_t)limit.rlim_max);
	}
	sched_getaffinity(0, sizeof set, &set);
	see(view, "affinity");
	for (size_t i = 0; i < CPU_SETSIZE; i++) {
		if (CPU_ISSET(i, &set))
			see(view, " %zu", i);
	}
	see(view, "\nnice %d\n", getpriority(PRIO_PROCESS, 0));
	see(view, "threads %zu\n", count_entries("/proc/self/task"));
}

static void look_at_signals(struct view *view) {
	sigset_t mask;
	struct sigaction action;

	sigprocmask(SIG_BLOCK, NULL, &mask);
	for (int i = 1; i < NSIG; i++) {
		if (sigaction(i, NULL, &action) < 0)
			continue;
		see(view, "signal %d %s%s\n", i,
		    action.sa_handler == SIG_DFL   ? "default"
		    : action.sa_handler == SIG_IGN ? "ignored"
		    : action.sa_handler == handle  ? "the toy's"
						   : "handled",
		    sigismember(&mask, i) == 1 ? " blocked" : "");
	}
}

static void look_at_timers(struct view *view) {
	static const int timers[] = { ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF };
	struct itimerval value;

	for (size_t i = 0; i < 3; i++) {
		getitimer((__itimer_which_t)timers[i], &value);
		see(view, "timer %zu %s\n", i,
		    value.it_value.tv_sec != 0 || value.it_value.tv_usec != 0 ? "armed" : "idle");
	}
	see(view, "children %s\n",
	    waitpid(-1, NULL, WNOHANG | WUNTRACED) < 0 && errno == ECHILD ? "none" : "some");
}

static int look(struct wf_call *call, const char *argument) {
	static struct view view;

	(void)argument;
	view.used = 0;
	look_at_environment(&view);
	look_at_files(&view);
	look_at_limits(&view);
	look_at_signals(&view);
	look_at_timers(&view);
	return wf_return(call, view.text, view.used);
}

const struct toy_entry toy_residue[] = {
	{ "dirty", dirty },
	{ "look", look },
	{ NULL, NULL },
};
