/* SPDX-License-Identifier: MIT
 *
 * Who lives below a process, seen from outside through /proc.
 */
#include "tests/support/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/look.h"
#include "tests/support/number.h"

#define PROCESSES_MAX 8192

struct row {
	pid_t pid, parent, session;
	char state;
	bool below;
};

static bool read_small(const char *path, char *text, size_t size) {
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static bool read_row(pid_t pid, struct row *row) {
	char path[64], text[1024];
	const char *end;
	int parent, group, session;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	if (!read_small(path, text, sizeof text))
		return false;
	end = strrchr(text, ')'); /* the name before it may hold anything */
	if (end == NULL ||
	    sscanf(end + 1, " %c %d %d %d", &row->state, &parent, &group, &session) != 4)
		return false;
	row->pid = pid;
	row->parent = parent;
	row->session = session;
	row->below = false;
	return true;
}

char process_state(pid_t pid) {
	struct row row;

	return read_row(pid, &row) ? row.state : '\0';
}

bool process_is_alive(pid_t pid) {
	char state = process_state(pid);

	return state != '\0' && state != 'Z' && state != 'X';
}

pid_t process_parent(pid_t pid) {
	struct row row;

	return read_row(pid, &row) ? row.parent : -1;
}

static size_t read_rows(struct row *rows, size_t size) {
	DIR *directory = opendir("/proc");
	struct dirent *entry;
	size_t n = 0;

	if (directory == NULL)
		return 0;
	while (n < size && (entry = readdir(directory)) != NULL) {
		long pid = number_at(entry->d_name, NULL);

		if (pid > 0 && read_row((pid_t)pid, &rows[n]))
			n++;
	}
	closedir(directory);
	return n;
}

/* Marks a row whose parent, or whose session's leader, is marked. True if that was new. */
static bool mark(struct row *row, const struct row *rows, size_t n) {
	if (row->below)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (rows[i].below && (rows[i].pid == row->parent || rows[i].pid == row->session)) {
			row->below = true;
			return true;
		}
	}
	return false;
}

static void mark_all(struct row *rows, size_t n, pid_t root) {
	bool more = true;

	for (size_t i = 0; i < n; i++)
		rows[i].below = rows[i].pid == root;
	while (more) {
		more = false;
		for (size_t i = 0; i < n; i++)
			more = mark(&rows[i], rows, n) || more;
	}
}

void watch_add(struct watch *watch, pid_t pid) {
	struct watched *item;
	char path[64];

	if (watch->n == WATCH_MAX)
		abort();
	item = &watch->items[watch->n++];
	item->pid = pid;
	item->pidfd = pidfd_open(pid, 0);
	snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
	if (!read_small(path, item->name, sizeof item->name))
		item->name[0] = '\0';
	item->name[strcspn(item->name, "\n")] = '\0';
}

void watch_tree(struct watch *watch, pid_t root) {
	struct row *rows = calloc(PROCESSES_MAX, sizeof *rows);
	size_t n;

	if (rows == NULL)
		abort();
	n = read_rows(rows, PROCESSES_MAX);
	mark_all(rows, n, root);
	for (size_t i = 0; i < n; i++) {
		if (rows[i].below && rows[i].state != 'Z' && rows[i].state != 'X')
			watch_add(watch, rows[i].pid);
	}
	free(rows);
}

void watch_pool(struct watch *watch, pid_t keeper) {
	watch_tree(watch, process_parent(keeper));
}

static bool item_has_ended(const struct watched *item, int timeout_ms) {
	struct pollfd event = { .fd = item->pidfd, .events = POLLIN };

	return item->pidfd < 0 || poll(&event, 1, timeout_ms) == 1;
}

size_t watch_alive(const struct watch *watch) {
	size_t n = 0;

	for (size_t i = 0; i < watch->n; i++)
		n += item_has_ended(&watch->items[i], 0) ? 0 : 1;
	return n;
}

size_t watch_await_end(const struct watch *watch, int cap_ms) {
	int64_t end = look_now_ms() + cap_ms;

	for (size_t i = 0; i < watch->n; i++) {
		int64_t left = end - look_now_ms();

		if (!item_has_ended(&watch->items[i], left > 0 ? (int)left : 0))
			break;
	}
	return watch_alive(watch);
}

void watch_kill(const struct watch *watch) {
	for (size_t i = 0; i < watch->n; i++) {
		if (watch->items[i].pidfd >= 0)
			pidfd_send_signal(watch->items[i].pidfd, SIGKILL, NULL, 0);
	}
}

void watch_clear(struct watch *watch) {
	for (size_t i = 0; i < watch->n; i++) {
		if (watch->items[i].pidfd >= 0)
			close(watch->items[i].pidfd);
	}
	watch->n = 0;
}

const char *watch_describe(const struct watch *watch) {
	static char text[4096];
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < watch->n && used < sizeof text - 64; i++) {
		const struct watched *item = &watch->items[i];

		if (!item_has_ended(item, 0))
			used += (size_t)snprintf(text + used, sizeof text - used, "%s%d %s (%c)",
						 used > 0 ? ", " : "", (int)item->pid, item->name,
						 process_state(item->pid));
	}
	return text;
}
