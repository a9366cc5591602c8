/* SPDX-License-Identifier: MIT */
#include "once.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#define AT_ONCE_MAX 256

struct child {
	pid_t pid;
	int output; /* reads what it prints */
};

static int start(const char *program, const char *path, struct child *ret) {
	/* posix_spawn(3) asks for writable strings and does not write to them */
	char *const argv[] = { (char *)(uintptr_t)program, (char *)(uintptr_t)path, NULL };
	posix_spawn_file_actions_t actions;
	int ends[2];
	int r;

	*ret = (struct child){ .output = -1 };
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	r = posix_spawn_file_actions_init(&actions);
	if (r == 0) {
		r = posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
		if (r == 0)
			r = posix_spawn(&ret->pid, program, &actions, NULL, argv, environ);
		(void)posix_spawn_file_actions_destroy(&actions);
	}
	(void)close(ends[1]);
	if (r != 0) {
		(void)close(ends[0]);
		return -r;
	}
	ret->output = ends[0];
	return 0;
}

/* Parses the next number of `text`, and moves *text behind it. */
static bool parse_number(const char **text, uint64_t *ret) {
	const char *at = *text;
	uint64_t number = 0;

	while (*at == ' ')
		at++;
	if (*at < '0' || *at > '9')
		return false;
	for (; *at >= '0' && *at <= '9'; at++)
		number = number * 10 + (uint64_t)(*at - '0');
	*text = at;
	*ret = number;
	return true;
}

/* Reads what the child prints until it closes its end, then reaps it. */
static int finish(const struct child *child, struct spell_count *ret) {
	char text[64] = "";
	const char *at = text;
	siginfo_t info = { 0 };
	size_t size = 0;
	ssize_t n;

	do {
		n = read(child->output, text + size, sizeof text - 1 - size);
		size += n > 0 ? (size_t)n : 0;
	} while (n > 0 || (n < 0 && errno == EINTR));
	(void)close(child->output);
	if (waitid(P_PID, (id_t)child->pid, &info, WEXITED) < 0)
		return -errno;
	if (info.si_code != CLD_EXITED || info.si_status != 0)
		return -EIO;
	return parse_number(&at, &ret->words) && parse_number(&at, &ret->misspelt) ? 0 : -EIO;
}

int once_run(const char *program, char *const *paths, size_t n, size_t at_once,
	     struct spell_count *counts) {
	struct child children[AT_ONCE_MAX];
	size_t started = 0;
	int r = 0;

	if (at_once < 1)
		at_once = 1;
	if (at_once > AT_ONCE_MAX)
		at_once = AT_ONCE_MAX;
	/* a ring: the oldest is awaited, because all take about as long to load */
	for (size_t finished = 0; finished < n; finished++) {
		while (r == 0 && started < n && started < finished + at_once) {
			r = start(program, paths[started], &children[started % at_once]);
			if (r == 0)
				started++;
		}
		if (finished == started)
			break;

		int failed = finish(&children[finished % at_once], &counts[finished]);
		if (r == 0)
			r = failed;
	}
	return r;
}
