/* SPDX-License-Identifier: MIT */
#include "executor/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/directory.h"
#include "base/fd.h"
#include "base/process.h"

#define DEPTH ((size_t)1 << 22) /* as many as there can be processes */

/* Fields 5 to 8 of /proc/PID/stat, in the numbers of our pid namespace. */
struct job_control {
	int group, session, terminal, foreground;
};

static bool read_job_control(pid_t pid, struct job_control *ret) {
	char path[64], text[1024];
	const char *after;
	ssize_t n;

	(void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (n <= 0)
		return false;
	text[n] = '\0';
	/* the name may hold anything, also parentheses */
	after = strrchr(text, ')');
	return after && sscanf(after + 1, " %*c %*d %d %d %d %d", &ret->group, &ret->session,
			       &ret->terminal, &ret->foreground) == 4;
}

/* --- whose is it? -------------------------------------------------------------------------- */

/* Looks for a process of a group whose leader has ended. */
struct search {
	pid_t group, top;
	const pid_t *roots;
	bool found;
};

static void visit(void *context, int directory, const char *name) {
	struct search *search = context;
	pid_t pid = (pid_t)strtol(name, NULL, 10);
	struct job_control job;

	(void)directory;
	if (search->found || pid <= 0 || !read_job_control(pid, &job) || job.group != search->group)
		return;
	search->found = process_climb(pid, search->roots, 2, DEPTH) == search->top;
}

static bool is_of(pid_t group, pid_t top, const pid_t roots[2]) {
	struct search search = { group, top, roots, false };
	struct job_control job;

	if (read_job_control(group, &job) && job.group == group)
		return process_climb(group, roots, 2, DEPTH) == top;
	if (kill(-group, 0) < 0 && errno == ESRCH)
		return true; /* nobody has it */
	cleanup_close int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (proc >= 0)
		(void)directory_each(proc, visit, &search);
	return search.found;
}

static bool has_no_terminal(pid_t pid) {
	struct job_control job;

	return pid > 0 && read_job_control(pid, &job) && job.terminal == 0;
}

static bool is_stopped_by_ttou(pid_t thread) {
	const uint64_t ttou = UINT64_C(1) << (SIGTTOU - 1);

	return !((process_signals(thread, "SigBlk:") | process_signals(thread, "SigIgn:")) & ttou);
}

enum terminal_right terminal_right(pid_t thread, const pid_t roots[2], pid_t *ret_group) {
	struct job_control job;
	pid_t top;

	*ret_group = 0;
	if (!read_job_control(thread, &job))
		return TERMINAL_REFUSED;
	*ret_group = job.group;
	if (job.terminal != 0 && job.foreground == job.group)
		return TERMINAL_FREE;
	top = process_climb((pid_t)process_status(thread, "Tgid:"), roots, 2, DEPTH);
	/* The leader of a new session has no terminal that the kernel would ask about, but still the
	 * descriptors of that which its worker has. */
	if (job.terminal == 0)
		return has_no_terminal(top) ? TERMINAL_FREE : TERMINAL_REFUSED;
	if (job.foreground > 0 && top > 0 && is_of(job.foreground, top, roots))
		return TERMINAL_FREE;
	return is_stopped_by_ttou(thread) ? TERMINAL_WAITS : TERMINAL_REFUSED;
}
