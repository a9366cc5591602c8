/* SPDX-License-Identifier: MIT
 *
 * The toy's steps on standard streams.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/support/in_call.h"
#include "tests/support/look.h"
#include "tests/support/number.h"
#include "tests/support/toy.h"

static int put(struct wf_call *call, int fd, const char *data, size_t size) {
	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno != EINTR)
			return wf_fail(call, errno, "cannot write");
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

static int out(struct wf_call *call, const char *argument) {
	return put(call, STDOUT_FILENO, argument, strlen(argument));
}

static int err(struct wf_call *call, const char *argument) {
	return put(call, STDERR_FILENO, argument, strlen(argument));
}

static int print(struct wf_call *call, const char *argument) {
	(void)call;
	fputs(argument, stdout);
	return 0;
}

static int spam(struct wf_call *call, const char *argument) {
	const char *rest;
	int stream = (int)number_at(argument, &rest);
	size_t size = (size_t)number_at(rest, NULL);
	char block[4096];
	int result = 0;

	for (size_t at = 0; at < size && result == 0; at += sizeof block) {
		size_t n = size - at < sizeof block ? size - at : sizeof block;

		for (size_t i = 0; i < n; i++)
			block[i] = toy_letter(at + i);
		result = put(call, stream, block, n);
	}
	return result != 0 ? result : toy_answer(call, "spammed");
}

static int cat(struct wf_call *call, const char *argument) {
	char text[4096];
	size_t used = 0;
	ssize_t n;

	(void)argument;
	while ((n = read(STDIN_FILENO, text + used, sizeof text - used)) > 0)
		used += (size_t)n;
	return n < 0 ? wf_fail(call, errno, "cannot read") : wf_return(call, text, used);
}

static bool is_in_splice(pid_t pid) {
	char path[64];

	(void)snprintf(path, sizeof path, "/proc/%d/syscall", (int)pid);
	return is_in_call(path, SYS_splice, NULL);
}

/* A child holds the kernel's lock of the pipe that standard output is, until it is ended: it waits
 * with it for a socket that nobody writes to. */
static int lock_pipe(struct wf_call *call, const char *argument) {
	struct look look = look_begin(30000);
	int sockets[2];
	pid_t pid;

	(void)argument;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
		return wf_fail(call, errno, "socketpair");
	pid = fork();
	if (pid == 0) {
		(void)!splice(sockets[0], NULL, STDOUT_FILENO, NULL, 4096, 0);
		_exit(1);
	}
	while (!is_in_splice(pid))
		if (!look_again(&look))
			return wf_fail(call, ETIMEDOUT, "the child does not hold the pipe");
	toy_report(call, "lock_pipe %d\n", (int)pid);
	return pid > 0 ? toy_answer(call, "locked") : wf_fail(call, errno, "fork");
}

/* The same by itself, while what it has just written is still being read. */
static int fill_and_lock(struct wf_call *call, const char *argument) {
	char block[TOY_FILLS] = { 0 };
	int sockets[2];

	(void)argument;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
		return wf_fail(call, errno, "socketpair");
	if (write(STDOUT_FILENO, block, sizeof block) != sizeof block)
		return wf_fail(call, errno, "cannot write");
	return splice(sockets[0], NULL, STDOUT_FILENO, NULL, 4096, 0) < 0
		   ? wf_fail(call, errno, "splice")
		   : 0;
}

/* Holds it for 50 ms at a time, and lets it go in between, N times. */
static int pulse_pipe(struct wf_call *call, const char *argument) {
	const struct timeval time = { .tv_usec = 50000 };
	int sockets[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0 ||
	    setsockopt(sockets[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) < 0)
		return wf_fail(call, errno, "socketpair");
	for (long n = number_at(argument, NULL); n > 0; n--) {
		(void)!write(STDOUT_FILENO, "x", 1);
		(void)!splice(sockets[0], NULL, STDOUT_FILENO, NULL, 4096, 0);
	}
	return toy_answer(call, "pulsed");
}

const struct toy_entry toy_output[] = {
	{ "out", out },
	{ "err", err },
	{ "print", print },
	{ "spam", spam },
	{ "cat", cat },
	{ "lock_pipe", lock_pipe },
	{ "fill_and_lock", fill_and_lock },
	{ "pulse_pipe", pulse_pipe },
	{ NULL, NULL },
};
