/* SPDX-License-Identifier: MIT
 *
 * Processes by descriptor. Signals and waits go through pidfds, because a pid may have been reused
 * by the time it is used; reaping goes by pid, which stays ours until we reap.
 *
 * The zygote calls these after its image is frozen: they use the stack and system calls, but no
 * heap and no stdio streams.
 */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/directory.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/feature.h"
#include "base/uninitialized.h"

#define STATUS_TEXT 8192 /* /proc/PID/status; the lists of CPUs and nodes come last */

/* --- by pidfd --- */

int process_open(pid_t pid) {
	int fd = (int)syscall(SYS_pidfd_open, pid, 0); /* always close-on-exec */

	return fd < 0 ? error_origin(-errno) : fd;
}

int process_signal(int pidfd, int signal) {
	if (syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0))
		return error_origin(-errno);
	return 0;
}

/* <linux/pidfd.h> of 6.9 */
#define SIGNAL_PROCESS_GROUP_6_9 (1u << 2)

int process_signal_group(int pidfd, pid_t pid, int signal) {
	if (syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, SIGNAL_PROCESS_GROUP_6_9) == 0)
		return 0;
	if (errno != EINVAL || pid <= 0)
		return error_origin(-errno);
	return kill(-pid, signal) < 0 ? error_origin(-errno) : 0;
}

bool process_has_ended(int pidfd) {
	struct pollfd poller = { .fd = pidfd, .events = POLLIN };
	int r;

	do {
		r = poll(&poller, 1, 0);
	} while (r < 0 && errno == EINTR);
	return r > 0 && poller.revents & POLLIN;
}

/* -1, which waits forever, gives NSEC_NEVER, and clock_left_ms() turns that into -1 again. */
int process_await_end(int pidfd, int timeout_ms) {
	struct pollfd poller = { .fd = pidfd, .events = POLLIN };
	nsec_t until = clock_in_ms(timeout_ms);

	for (;;) {
		int r = poll(&poller, 1, clock_left_ms(until));

		if (r > 0)
			return poller.revents & POLLIN ? 0 : error_origin(-EBADF);
		if (r == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return error_origin(-errno);
	}
}

/* --- reaping --- */

static ssize_t read_retry(int fd, char *buffer, size_t size) {
	ssize_t n;

	do {
		n = read(fd, buffer, size);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? error_origin(-errno) : n;
}

/* Returns what follows `key` at the beginning of a line of the file, in `text`, or NULL. A name in
 * the first line cannot have line breaks: the kernel escapes them. */
static const char *read_field(const char *path, const char *key, char text[STATUS_TEXT]) {
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read_retry(fd, text, STATUS_TEXT - 1);

	if (n <= 0)
		return NULL;
	text[n] = '\0';
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, strlen(key)) == 0)
			return line + strlen(key);
	}
	return NULL;
}

static uint64_t read_number(pid_t pid, const char *key, int base) {
	char path[64] = "/proc/self/status", text[STATUS_TEXT] uninitialized;
	const char *value;

	if (pid > 0)
		(void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	value = read_field(path, key, text);
	return value ? strtoull(value, NULL, base) : 0;
}

uint64_t process_status(pid_t pid, const char *key) {
	return read_number(pid, key, 10);
}

uint64_t process_signals(pid_t pid, const char *key) {
	return read_number(pid, key, 16);
}

static bool is_one_of(pid_t pid, const pid_t *pids, size_t n) {
	for (size_t i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

pid_t process_climb(pid_t start, const pid_t *roots, size_t n_roots, size_t most) {
	pid_t pid = start, parent = (pid_t)process_status(start, "PPid:");

	for (size_t i = 0; i < most && parent > 0; i++) {
		pid_t next;

		if (parent == 1 || is_one_of(parent, roots, n_roots))
			return pid;
		next = (pid_t)process_status(parent, "PPid:");
		/* Whoever is still its parent has been so all the time, so `next` is of the same.
		 * Otherwise one of them has ended, and nothing found so far counts. */
		if ((pid_t)process_status(pid, "PPid:") == parent) {
			pid = parent;
			parent = next;
		} else {
			pid = start;
			parent = (pid_t)process_status(start, "PPid:");
		}
	}
	return 0;
}

bool process_is(int pidfd, pid_t pid) {
	char path[64], text[STATUS_TEXT] uninitialized;
	const char *value;
	long number;
	int r = process_signal(pidfd, 0);

	if (r < 0 && r != -ESRCH && r != -EPERM)
		return false;
	(void)snprintf(path, sizeof path, "/proc/self/fdinfo/%d", pidfd);
	value = read_field(path, "Pid:", text);
	number = value ? strtol(value, NULL, 10) : pid;
	return number == pid || number == -1;
}

void exit_status_from_rusage(struct exit_status *status, const struct rusage *usage) {
	uint64_t us = (uint64_t)usage->ru_utime.tv_usec + (uint64_t)usage->ru_stime.tv_usec;
	uint64_t s = (uint64_t)usage->ru_utime.tv_sec + (uint64_t)usage->ru_stime.tv_sec;

	status->cpu_ns = s * NSEC_PER_SEC + us * 1000;
	status->peak_rss = (uint64_t)usage->ru_maxrss * 1024;
}

void exit_status_fill(struct exit_status *status, const siginfo_t *info,
		      const struct rusage *usage) {
	status->exited = info->si_code == CLD_EXITED;
	status->code = status->exited ? info->si_status : 0;
	status->signal = status->exited ? 0 : info->si_status;
	status->core = info->si_code == CLD_DUMPED;
	exit_status_from_rusage(status, usage);
}

/* waitid(2) of the C library does not return a rusage; the system call does, for this child
 * alone. */
int process_reap(pid_t pid, struct exit_status *ret) {
	siginfo_t info = { 0 };
	struct rusage usage;
	long r;

	do {
		r = syscall(SYS_waitid, P_PID, pid, &info, WEXITED | __WALL, &usage);
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		return error_origin(-errno);
	if (ret)
		exit_status_fill(ret, &info, &usage);
	return 0;
}

/* --- finding children --- */

struct pid_list {
	pid_t *pids;
	size_t room;
	int n;
};

static void pid_list_add(struct pid_list *list, pid_t pid) {
	if ((size_t)list->n < list->room)
		list->pids[list->n] = pid;
	list->n++;
}

/* Numbers, each followed by a space; one may be split between two reads. */
static int children_from_file(int fd, struct pid_list *list) {
	char buffer[4096] uninitialized;
	pid_t pid = 0;
	ssize_t n;

	while ((n = read_retry(fd, buffer, sizeof buffer)) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (buffer[i] >= '0' && buffer[i] <= '9') {
				pid = pid * 10 + (buffer[i] - '0');
			} else if (pid) {
				pid_list_add(list, pid);
				pid = 0;
			}
		}
	}
	if (pid)
		pid_list_add(list, pid);
	return error_trace((int)n);
}

/* "PID (comm) S PPID ...", where comm may contain anything, even parentheses. Returns 0 if there is
 * none. */
static pid_t parent_from_stat(int proc, const char *name) {
	char path[32], stat[512];
	const char *end;
	cleanup_close int fd = -1;
	ssize_t n;

	(void)snprintf(path, sizeof path, "%.20s/stat", name);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read_retry(fd, stat, sizeof stat - 1);
	if (n <= 0)
		return 0;
	stat[n] = '\0';
	end = strrchr(stat, ')');
	if (!end || strlen(end) < 5)
		return 0;
	return (pid_t)strtol(end + 4, NULL, 10);
}

struct scan {
	struct pid_list *list;
	pid_t self;
};

static void scan_entry(void *context, int proc, const char *name) {
	struct scan *scan = context;

	if (name[0] >= '1' && name[0] <= '9' && parent_from_stat(proc, name) == scan->self)
		pid_list_add(scan->list, (pid_t)strtol(name, NULL, 10));
}

static int children_from_scan(struct pid_list *list) {
	cleanup_close int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct scan scan = { list, getpid() };

	if (proc < 0)
		return error_origin(-errno);
	return error_trace(directory_each(proc, scan_entry, &scan));
}

int process_children_from(int fd, pid_t *pids, size_t n) {
	struct pid_list list = { .pids = pids, .room = n };
	int r = lseek(fd, 0, SEEK_SET) < 0 ? error_origin(-errno) : children_from_file(fd, &list);

	return r < 0 ? error_trace(r) : list.n;
}

/* The file exists only with CONFIG_PROC_CHILDREN; it lists the children of one thread, and we have
 * only one. */
int process_children(pid_t *pids, size_t n) {
	struct pid_list list = { .pids = pids, .room = n };
	char path[64];
	int r;

	if (!feature_hidden(FEATURE_PROC_CHILDREN)) {
		cleanup_close int fd = -1;

		(void)snprintf(path, sizeof path, "/proc/self/task/%d/children", gettid());
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0) {
			r = children_from_file(fd, &list);
			return r < 0 ? error_trace(r) : list.n;
		}
		if (errno != ENOENT)
			return error_origin(-errno);
	}
	r = children_from_scan(&list);
	return r < 0 ? error_trace(r) : list.n;
}

/* --- titles --- */

#define TITLE_TEXT 256

static struct {
	char *area; /* where the kernel found argv: what /proc/PID/cmdline shows */
	size_t size;
} title;

void process_title_init(int argc, char **argv) {
	char *end;

	title.area = NULL;
	title.size = 0;
	if (argc < 1 || !argv[0])
		return;
	/* As far as the strings are contiguous: a host may have replaced some. */
	end = argv[0] + strlen(argv[0]) + 1;
	for (int i = 1; i < argc && argv[i] == end; i++)
		end += strlen(argv[i]) + 1;
	title.area = argv[0];
	title.size = (size_t)(end - argv[0]);
}

/* The thread name has 15 bytes, so the part up to the first ": ", which all of our processes share,
 * is left out. */
static void thread_name_set(const char *text) {
	const char *name = text;

	for (const char *c = text; *c && name == text; c++)
		if (c[0] == ':' && c[1] == ' ')
			name = c + 2;
	(void)prctl(PR_SET_NAME, name, 0, 0, 0);
}

static void title_set(const char *text) {
	size_t length;

	thread_name_set(text);
	if (!title.size)
		return;
	/* The last byte stays NUL, or the kernel would read on into the environment. */
	length = strnlen(text, title.size - 1);
	memcpy(title.area, text, length);
	memset(title.area + length, 0, title.size - length);
}

void process_title(const char *format, ...) {
	char text[TITLE_TEXT];
	va_list arguments;

	va_start(arguments, format);
	if (vsnprintf(text, sizeof text, format, arguments) < 0)
		text[0] = '\0';
	va_end(arguments);
	title_set(text);
}

static char *text_append(char *at, const char *end, const char *text) {
	while (*text && at < end)
		*at++ = *text++;
	*at = '\0';
	return at;
}

void process_title_numbered(const char *before, unsigned number, const char *after) {
	char text[TITLE_TEXT] = "", digits[16], *at, *digit = digits + sizeof digits;
	const char *end = text + sizeof text - 1;

	*--digit = '\0';
	do {
		*--digit = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	at = text_append(text, end, before);
	at = text_append(at, end, digit);
	(void)text_append(at, end, after);
	title_set(text);
}
